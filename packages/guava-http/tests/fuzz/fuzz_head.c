/* fuzz_head.c: a request's head, from its bytes to its slices. The first byte of the input chooses
 * the limits, the rest is what arrives. Whole, split at every byte and written out again, it must
 * be the same request or refused for the same reason; what is accepted must hold what the rest of
 * the server relies on. */
#include "check.h"
#include "core/field.h"
#include "core/parser.h"
#include "core/scan.h"
#include "core/target.h"

#define MOST_SPLIT 600 /* bytes; longer inputs are split less often, as it takes their square */

typedef struct {
    gh_verdict verdict;
    size_t size; /* of the head, if it was read to its end */
    bool parsed;
    gh_scan scan;
    char *bytes;
    gh_field *fields;
    gh_head head;
} result;

static const gh_limits choices[] = {
    {.head = 32768, .fields = 100, .target = 8190, .body = 1048576},
    {.head = 64, .fields = 2, .target = 8, .body = 9},
    {.head = 200, .fields = 5, .target = 40, .body = 0},
    {.head = 1 << 20, .fields = 1000, .target = GH_TARGET_MOST, .body = UINT64_MAX},
};

static void
finish(result *self, const char *bytes, const gh_limits *limits)
{
    if (self->verdict != GH_OK)
        return;
    self->parsed = true;
    self->bytes = exact(bytes, self->size);
    self->fields = malloc(sizeof(gh_field) * limits->fields);
    CHECK(self->fields != NULL);
    self->verdict =
        gh_parse_head(&self->scan, self->bytes, self->size, limits, self->fields, &self->head);
}

static void
drop(result *self)
{
    free(self->bytes);
    free(self->fields);
}

static result
read_whole(const char *bytes, size_t n, const gh_limits *limits)
{
    result self = {0};
    char *copy = exact(bytes, n);
    self.verdict = gh_scan_head(&self.scan, copy, n, limits, &self.size);
    free(copy);
    finish(&self, bytes, limits);
    return self;
}

static result
read_split(const char *bytes, size_t n, size_t step, const gh_limits *limits)
{
    result self = {.verdict = GH_MORE};
    for (size_t there = 0; self.verdict == GH_MORE && there < n;) {
        there = n - there < step ? n : there + step;
        char *copy = exact(bytes, there);
        self.verdict = gh_scan_head(&self.scan, copy, there, limits, &self.size);
        free(copy);
    }
    finish(&self, bytes, limits);
    return self;
}

static bool
same_slice(gh_slice a, gh_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.base, b.base, a.len) == 0);
}

static void
check_same(const gh_head *a, const gh_head *b)
{
    CHECK(same_slice(a->method, b->method));
    CHECK(same_slice(a->target, b->target));
    CHECK(same_slice(a->path, b->path));
    CHECK(same_slice(a->query, b->query));
    CHECK(same_slice(a->host, b->host));
    CHECK(a->n_fields == b->n_fields);
    for (uint32_t i = 0; i < a->n_fields; i++) {
        CHECK(same_slice(a->fields[i].name, b->fields[i].name));
        CHECK(same_slice(a->fields[i].value, b->fields[i].value));
    }
    CHECK(a->minor == b->minor && a->keep_alive == b->keep_alive && a->chunked == b->chunked);
    CHECK(a->expect_continue == b->expect_continue && a->has_length == b->has_length);
    CHECK(a->content_length == b->content_length);
}

static void
check_inside(const result *self, gh_slice slice)
{
    CHECK(slice.len == 0 || inside(slice.base, slice.len, self->bytes, self->size));
}

/* What an application may rely on. */
static void
check_accepted(const result *self, const gh_limits *limits)
{
    const gh_head *head = &self->head;
    uint32_t hosts = 0, lengths = 0, codings = 0;
    CHECK(self->size <= limits->head && head->n_fields <= limits->fields);
    CHECK(head->target.len <= limits->target && head->minor <= 1);
    CHECK(gh_is_token(head->method.base, head->method.len));
    CHECK(head->path.len > 0 && (*head->path.base == '/' || *head->path.base == '*'));
    CHECK(head->start + head->size == self->bytes + self->size);
    check_inside(self, head->method);
    check_inside(self, head->target);
    check_inside(self, head->path);
    check_inside(self, head->query);
    check_inside(self, head->host);
    for (uint32_t i = 0; i < head->target.len; i++)
        CHECK(head->target.base[i] > ' ' && head->target.base[i] < 0x7f);
    for (uint32_t i = 0; i < head->n_fields; i++) {
        gh_slice name = head->fields[i].name, value = head->fields[i].value;
        check_inside(self, name);
        check_inside(self, value);
        CHECK(gh_is_token(name.base, name.len) && gh_is_field_value(value.base, value.len));
        CHECK(value.len == 0 || (value.base[0] != ' ' && value.base[value.len - 1] != '\t'));
        hosts += gh_same_name(name.base, name.len, "host", 4);
        lengths += gh_same_name(name.base, name.len, "content-length", 14);
        codings += gh_same_name(name.base, name.len, "transfer-encoding", 17);
    }
    CHECK(hosts <= 1 && (hosts == 1 || head->minor == 0));
    CHECK(lengths + codings <= 1);
    CHECK(head->has_length == (lengths == 1) && head->chunked == (codings == 1));
    CHECK(!head->has_length || head->content_length <= limits->body);
    CHECK(!head->chunked || head->minor == 1);
    /* No line ends but the counted ones: nothing hides inside a value. */
    uint32_t ends = 0;
    for (uint32_t i = 0; i < head->size; i++) {
        CHECK(head->start[i] != '\0');
        CHECK(head->start[i] != '\r' || (i + 1 < head->size && head->start[i + 1] == '\n'));
        CHECK(head->start[i] != '\n' || (i > 0 && head->start[i - 1] == '\r'));
        ends += head->start[i] == '\n';
    }
    CHECK(ends == head->n_fields + 2);
}

static char *
put(char *to, gh_slice text)
{
    memcpy(to, text.base, text.len);
    return to + text.len;
}

/* The same request, written by somebody who is neat. */
static void
check_again(const result *self, const gh_limits *limits)
{
    const gh_head *head = &self->head;
    char *text = malloc(self->size + 4 * (size_t)head->n_fields + 64), *to = text;
    CHECK(text != NULL);
    to = put(to, head->method);
    *to++ = ' ';
    to = put(to, head->target);
    to += sprintf(to, " HTTP/1.%u\r\n", head->minor);
    for (uint32_t i = 0; i < head->n_fields; i++) {
        to = put(to, head->fields[i].name);
        *to++ = ':';
        *to++ = ' ';
        to = put(to, head->fields[i].value);
        *to++ = '\r';
        *to++ = '\n';
    }
    *to++ = '\r';
    *to++ = '\n';
    gh_limits room = *limits;
    room.head += 4 * head->n_fields + 64;
    result again = read_whole(text, (size_t)(to - text), &room);
    CHECK(again.verdict == GH_OK && again.size == (size_t)(to - text));
    check_same(head, &again.head);
    drop(&again);
    free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const gh_limits *limits = &choices[data[0] % (sizeof(choices) / sizeof(choices[0]))];
    const char *bytes = (const char *)data + 1;
    size_t n = size - 1;
    gh_parser_allow(limits->head);
    result whole = read_whole(bytes, n, limits);
    size_t steps[] = {n > MOST_SPLIT ? n / 7 + 1 : 1, 2 + data[0] % 61u};
    for (size_t i = 0; i < 2; i++) {
        if (n > 8 * MOST_SPLIT && i == 1)
            break;
        result split = read_split(bytes, n, steps[i], limits);
        if (n > 0 && split.verdict != whole.verdict)
            fprintf(stderr, "whole: %d, in steps of %zu: %d\n", whole.verdict, steps[i],
                    split.verdict);
        CHECK(n == 0 || split.verdict == whole.verdict);
        CHECK(n == 0 || split.parsed == whole.parsed);
        if (whole.parsed) {
            CHECK(split.size == whole.size);
            check_same(&split.head, &whole.head);
        }
        drop(&split);
    }
    if (whole.verdict == GH_OK) {
        check_accepted(&whole, limits);
        check_again(&whole, limits);
    } else if (whole.verdict != GH_MORE)
        CHECK(gh_verdict_status(whole.verdict) >= 400 && gh_verdict_text(whole.verdict) != NULL);
    drop(&whole);
    return 0;
}
