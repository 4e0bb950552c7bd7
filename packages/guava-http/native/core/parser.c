/* parser.c: the only file that knows http-parser. It is fed one complete head in one call, so each
 * of its callbacks comes once per item and with all of it. What the library is too kind about is
 * checked here: the request line's shape, names with spaces, repeated Host fields, lengths and
 * codings that contradict each other. */
#include "core/parser.h"

#include <stdlib.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <http_parser.h>

#include "core/field.h"
#include "core/target.h"

#define VERSION_SIZE 9 /* " HTTP/1.1" */

typedef struct {
    gh_head *head;
    gh_field *fields;
    gh_field *field; /* the next one, and where there is no room any more */
    gh_field *last;
    const char *end; /* of the head */
    uint32_t hosts;
    uint32_t heads; /* how many http-parser saw end */
    gh_slice url;   /* the target as http-parser sees it */
    gh_slice host;
    bool close; /* Connection: close, and keep-alive */
    bool keep_alive;
    bool coded;      /* a Transfer-Encoding field */
    ptrdiff_t shift; /* from the bytes that http-parser reads to the head's own */
    gh_verdict verdict;
} reading;

static int
refuse(reading *self, gh_verdict verdict)
{
    self->verdict = verdict;
    return 1;
}

/* Names that matter here are letters and "-": for those, and tokens to compare with, setting the
 * bit 0x20 makes capitals small and changes nothing else that could match. */
static bool
same(gh_slice text, const char *lower, uint32_t n)
{
    if (text.len != n)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        if ((text.base[i] | 0x20) != lower[i])
            return false;
    }
    return true;
}

static int
on_url(http_parser *parser, const char *at, size_t n)
{
    reading *self = parser->data;
    self->url = (gh_slice){at + self->shift, (uint32_t)n};
    return 0;
}

static int
take_name(reading *self, const char *at, size_t n)
{
    self->field->name = (gh_slice){at, (uint32_t)n};
    return 0;
}

static __attribute__((noinline)) int
take_long_name(reading *self, const char *at, size_t n)
{
    return memchr(at, ' ', n) == NULL ? take_name(self, at, n) : refuse(self, GH_BAD_FIELD);
}

/* The library takes spaces in names. Names are short, so the sixteen bytes from their beginning
 * are looked at together where the head has as many. */
static int
on_name(http_parser *parser, const char *at, size_t n)
{
    reading *self = parser->data;
    at += self->shift;
    if (self->field == self->last)
        return refuse(self, GH_TOO_MANY_FIELDS);
#ifdef __SSE2__
    if (n <= 16 && self->end - at >= 16) {
        __m128i block = _mm_loadu_si128((const __m128i *)at);
        unsigned mask = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(block, _mm_set1_epi8(' ')));
        if ((mask & ((1u << n) - 1)) != 0)
            return refuse(self, GH_BAD_FIELD);
        return take_name(self, at, n);
    }
#endif
    return take_long_name(self, at, n);
}

static int
read_length(reading *self, gh_slice value)
{
    uint64_t length = 0;
    if (value.len == 0 || self->head->has_length)
        return refuse(self, GH_BAD_FRAMING);
    for (uint32_t i = 0; i < value.len; i++) {
        if (value.base[i] < '0' || value.base[i] > '9' || length > (UINT64_MAX - 9) / 10)
            return refuse(self, GH_BAD_FRAMING);
        length = length * 10 + (uint64_t)(value.base[i] - '0');
    }
    self->head->has_length = true;
    self->head->content_length = length;
    return 0;
}

static int
read_coding(reading *self, gh_slice value)
{
    if (self->coded)
        return refuse(self, GH_BAD_FRAMING);
    self->coded = true;
    if (!same(value, "chunked", 7))
        return refuse(self, value.len == 0 ? GH_BAD_FRAMING : GH_UNKNOWN_CODING);
    self->head->chunked = true;
    return 0;
}

static int
read_connection(reading *self, gh_slice value)
{
    const char *at = value.base, *end = value.base + value.len;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma == NULL ? end : comma;
        size_t n = (size_t)(stop - at);
        gh_strip(&at, &n);
        gh_slice token = {at, (uint32_t)n};
        if (same(token, "close", 5))
            self->close = true;
        else if (same(token, "keep-alive", 10))
            self->keep_alive = true;
        at = stop + 1;
    }
    return 0;
}

static int
read_host(reading *self, gh_slice value)
{
    self->hosts++;
    self->host = value;
    return 0;
}

static int
read_expect(reading *self, gh_slice value)
{
    if (value.len == 0 || self->head->minor == 0)
        return 0;
    if (!gh_same_name(value.base, value.len, "100-continue", 12))
        return refuse(self, GH_BAD_EXPECTATION);
    self->head->expect_continue = true;
    return 0;
}

/* Fields that decide how the request is read. */
static __attribute__((noinline)) int
read_field(reading *self, const gh_field *field)
{
    gh_slice name = field->name;
    if (same(name, "host", 4))
        return read_host(self, field->value);
    if (same(name, "expect", 6))
        return read_expect(self, field->value);
    if (same(name, "connection", 10))
        return read_connection(self, field->value);
    if (same(name, "content-length", 14))
        return read_length(self, field->value);
    if (same(name, "transfer-encoding", 17))
        return read_coding(self, field->value);
    return 0;
}

/* Their first letters, by their lengths: most others cost one look. */
static const char firsts[18] = {[4] = 'h', [6] = 'e', [10] = 'c', [14] = 'c', [17] = 't'};

static int
on_value(http_parser *parser, const char *at, size_t n)
{
    reading *self = parser->data;
    gh_field *field = self->field;
    at += self->shift;
    /* White space in front is gone already. */
    while (n > 0 && (at[n - 1] == ' ' || at[n - 1] == '\t'))
        n--;
    /* The library checks every byte of a value but its first. */
    if (n > 0 && ((uint8_t)*at < ' ' || *at == 0x7f))
        return refuse(self, GH_BAD_FIELD);
    field->value = (gh_slice){at, (uint32_t)n};
    self->field++;
    if (field->name.len < sizeof(firsts) &&
        (field->name.base[0] | 0x20) == firsts[field->name.len])
        return read_field(self, field);
    return 0;
}

/* Where two readers see a message end at different places, requests are smuggled: what the library
 * makes of length and coding must be what we do. */
static int
on_head(http_parser *parser)
{
    reading *self = parser->data;
    const gh_head *head = self->head;
    bool sized = (parser->flags & F_CONTENTLENGTH) != 0;
    self->heads++;
    if (sized != head->has_length || ((parser->flags & F_CHUNKED) != 0) != head->chunked ||
        (sized && parser->content_length != head->content_length))
        return refuse(self, GH_BAD_FRAMING);
    /* Nobody takes an upgrade: the request is an ordinary one (RFC 9110, 7.8). */
    parser->upgrade = 0;
    return 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
};

/* Method SP target SP version, each where it must be. */
static gh_verdict
read_line(gh_head *head, const char *line, uint32_t len, const gh_limits *limits)
{
    uint32_t n = 0;
    while (n < len && line[n] != ' ')
        n++;
    head->method = (gh_slice){line, n};
    if (len < n + 1 + VERSION_SIZE)
        return GH_BAD_REQUEST_LINE;
    /* gh_scan_head() saw that a version ends it. */
    const char *version = line + len - VERSION_SIZE;
    head->minor = (uint8_t)(version[8] - '0');
    head->target = (gh_slice){line + n + 1, (uint32_t)(version - line - n - 1)};
    if (head->target.len > limits->target)
        return GH_TARGET_TOO_LONG;
    if (head->method.len == 7 && memcmp(line, "CONNECT", 7) == 0)
        return GH_UNKNOWN_METHOD;
    return gh_target_split(head) ? GH_OK : GH_BAD_TARGET;
}

static gh_verdict
explain(const reading *self, enum http_errno error)
{
    if (self->verdict != GH_OK)
        return self->verdict;
    switch (error) {
    case HPE_INVALID_METHOD:
        return gh_is_token(self->head->method.base, self->head->method.len) ? GH_UNKNOWN_METHOD
                                                                            : GH_BAD_REQUEST_LINE;
    case HPE_INVALID_VERSION:
    case HPE_INVALID_CONSTANT:
    case HPE_INVALID_URL:
        return GH_BAD_REQUEST_LINE;
    case HPE_HEADER_OVERFLOW:
        return GH_HEAD_TOO_LARGE;
    case HPE_INVALID_CONTENT_LENGTH:
    case HPE_UNEXPECTED_CONTENT_LENGTH:
    case HPE_INVALID_TRANSFER_ENCODING:
        return GH_BAD_FRAMING;
    default:
        return GH_BAD_FIELD;
    }
}

/* What only the whole head can tell. */
static gh_verdict
judge(const reading *self, const gh_scan *scan, const gh_limits *limits)
{
    gh_head *head = self->head;
    /* Both readers must have seen the same lines. */
    if (self->heads != 1 || self->url.base != head->target.base ||
        self->url.len != head->target.len)
        return GH_BAD_REQUEST_LINE;
    if (head->n_fields != scan->lines - 1)
        return GH_BAD_FIELD;
    if (self->hosts != 1 && (self->hosts > 1 || head->minor > 0))
        return GH_BAD_HOST;
    if (self->hosts == 1 && !gh_is_authority(self->host, true))
        return GH_BAD_HOST;
    if (self->coded && (head->has_length || head->minor == 0))
        return GH_BAD_FRAMING;
    if (head->method.len == 5 && memcmp(head->method.base, "TRACE", 5) == 0 &&
        (head->chunked || head->content_length > 0))
        return GH_TRACE_WITH_BODY; /* RFC 9110, 9.3.8 */
    if (head->has_length && head->content_length > limits->body)
        return GH_BODY_TOO_LARGE;
    return GH_OK;
}

static inline void
begin(reading *self, gh_head *head, gh_field *fields, gh_field *last)
{
    *self = (reading){.head = head, .fields = fields, .field = fields, .last = last};
    self->end = head->start + head->size;
}

/* Feeds the head, or bytes that stand for it, to http-parser. */
static gh_verdict
run(reading *self, const char *bytes)
{
    http_parser parser;
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = self;
    size_t taken = http_parser_execute(&parser, &settings, bytes, self->head->size);
    enum http_errno error = HTTP_PARSER_ERRNO(&parser);
    self->head->n_fields = (uint32_t)(self->field - self->fields);
    if (error != HPE_OK)
        return explain(self, error);
    return taken == self->head->size ? GH_OK : GH_BAD_FIELD;
}

/* The library takes no tab behind a length, where one may stand (RFC 9112, 5.1). */
static bool
replace_tabs(char *copy, size_t size)
{
    bool replaced = false, at_end = false;
    for (size_t i = size; i-- > 0;) {
        at_end = copy[i] == '\r' || (at_end && (copy[i] == ' ' || copy[i] == '\t'));
        if (at_end && copy[i] == '\t') {
            copy[i] = ' ';
            replaced = true;
        }
    }
    return replaced;
}

/* It takes any name that begins with "Transfer-Encoding" for that field when it asks at the end
 * whether there was one. */
static bool
replace_names(char *copy, size_t size)
{
    static const char name[] = "transfer-encoding";
    const size_t n = sizeof(name) - 1;
    bool replaced = false;
    for (size_t i = 1; i + n < size; i++) {
        if (copy[i - 1] == '\n' && gh_same_name(copy + i, n, name, n) && copy[i + n] != ':') {
            copy[i] = 'x';
            replaced = true;
        }
    }
    return replaced;
}

/* What the library refuses and should not comes seldom: then, and only then, it gets a copy of the
 * head without that. Slices are of the original. */
static gh_verdict
run_again(reading *self, const char *start)
{
    uint32_t size = self->head->size;
    char *copy = malloc(size);
    if (copy == NULL)
        return GH_BAD_FRAMING;
    memcpy(copy, start, size);
    bool tabs = replace_tabs(copy, size);
    if (!replace_names(copy, size) && !tabs) {
        free(copy);
        return GH_BAD_FRAMING;
    }
    gh_head *head = self->head;
    head->content_length = 0;
    head->has_length = head->chunked = head->expect_continue = false;
    begin(self, head, self->fields, self->last);
    self->shift = (ptrdiff_t)((intptr_t)start - (intptr_t)copy);
    gh_verdict verdict = run(self, copy);
    free(copy);
    return verdict;
}

gh_verdict
gh_parse_head(const gh_scan *scan, const char *bytes, size_t size, const gh_limits *limits,
              gh_field *fields, gh_head *head)
{
    const char *start = bytes + scan->start;
    *head = (gh_head){.fields = fields, .start = start, .size = (uint32_t)(size - scan->start)};
    gh_verdict verdict = read_line(head, start, scan->first, limits);
    if (verdict != GH_OK)
        return verdict;

    reading self;
    begin(&self, head, fields, fields + limits->fields);
    verdict = run(&self, start);
    if (verdict == GH_BAD_FRAMING && self.verdict == GH_OK)
        verdict = run_again(&self, start);
    if (verdict != GH_OK)
        return verdict;

    /* Ours, because the library also heeds Proxy-Connection and misses tokens behind a tab. */
    head->keep_alive = head->minor > 0 ? !self.close : self.keep_alive && !self.close;
    /* The authority of an absolute target beats the field (RFC 9112, 3.2.2). */
    if (head->host.base == NULL)
        head->host = self.hosts > 0 ? self.host : (gh_slice){start, 0};
    return judge(&self, scan, limits);
}

void
gh_parser_allow(uint32_t head)
{
    if (head > HTTP_MAX_HEADER_SIZE)
        http_parser_set_max_header_size(GH_HEAD_MOST);
}
