/* fuzz_chunks.c: chunked bodies. The first byte of the input chooses the limits. Whole, in pieces
 * and byte by byte the same data must come out and the same end be found; and for what is taken,
 * a second reader, as simple as can be, must agree. */
#include "check.h"
#include "core/chunks.h"

typedef struct {
    gh_verdict verdict;
    size_t taken; /* bytes of the input that belong to the body */
    char *data;
    size_t n;
} result;

static const gh_limits choices[] = {
    {.body = 1048576, .chunk_extensions = 4096, .trailers = 8192},
    {.body = 7, .chunk_extensions = 3, .trailers = 6},
    {.body = 0, .chunk_extensions = 0, .trailers = 0},
    {.body = UINT64_MAX, .chunk_extensions = UINT32_MAX, .trailers = UINT32_MAX},
};

static result
read_body(const char *bytes, size_t n, size_t step, const gh_limits *limits)
{
    result self = {.verdict = GH_MORE, .data = malloc(n + 1)};
    CHECK(self.data != NULL);
    gh_chunks chunks = {0};
    while (self.verdict == GH_MORE && self.taken < n) {
        size_t piece = n - self.taken < step ? n - self.taken : step, left = piece;
        char *copy = exact(bytes + self.taken, piece);
        const char *at = copy;
        while (self.verdict == GH_MORE && left > 0) {
            gh_slice data;
            size_t before = left;
            const char *from = at;
            self.verdict = gh_chunks_next(&chunks, &at, &left, limits, &data);
            CHECK(left <= before && at == from + (before - left));
            CHECK(left < before || self.verdict != GH_MORE);
            if (self.verdict != GH_MORE && self.verdict != GH_OK)
                break;
            CHECK(data.len == 0 || inside(data.base, data.len, copy, piece));
            CHECK(self.n + data.len <= n);
            memcpy(self.data + self.n, data.base, data.len);
            self.n += data.len;
        }
        self.taken += piece - left;
        free(copy);
    }
    CHECK(self.n <= limits->body);
    return self;
}

static size_t
line_end(const char *bytes, size_t n, size_t at)
{
    while (at + 1 < n && !(bytes[at] == '\r' && bytes[at + 1] == '\n')) {
        CHECK(bytes[at] != '\n' && bytes[at] != '\0');
        at++;
    }
    CHECK(at + 1 < n);
    return at;
}

/* Aborts where the body is not what RFC 9112, 7.1 says. */
static void
check_body(const char *bytes, const result *found)
{
    size_t at = 0, data = 0;
    for (;;) {
        unsigned long long size;
        char *end;
        size_t line = line_end(bytes, found->taken, at);
        char *text = exact(bytes + at, line - at + 1);
        text[line - at] = '\0';
        size = strtoull(text, &end, 16);
        CHECK(strspn(text, "0123456789abcdefABCDEF") == (size_t)(end - text) && end > text);
        end += strspn(end, " \t");
        CHECK(*end == '\0' || *end == ';');
        free(text);
        at = line + 2;
        if (size == 0)
            break;
        CHECK(size <= found->taken - at && size <= found->n - data);
        CHECK(memcmp(bytes + at, found->data + data, (size_t)size) == 0);
        at += (size_t)size;
        data += (size_t)size;
        CHECK(memcmp(bytes + at, "\r\n", 2) == 0);
        at += 2;
    }
    CHECK(data == found->n);
    for (;;) {
        size_t line = line_end(bytes, found->taken, at);
        bool last = line == at;
        CHECK(last || memchr(bytes + at, ':', line - at) != NULL);
        at = line + 2;
        if (last)
            break;
    }
    CHECK(at == found->taken);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const gh_limits *limits = &choices[data[0] % (sizeof(choices) / sizeof(choices[0]))];
    const char *bytes = (const char *)data + 1;
    size_t n = size - 1;
    result whole = read_body(bytes, n, n + 1, limits);
    size_t steps[] = {1, 2 + data[0] % 61u};
    for (size_t i = 0; i < 2; i++) {
        result split = read_body(bytes, n, steps[i], limits);
        CHECK(split.verdict == whole.verdict && split.taken == whole.taken);
        CHECK(split.n == whole.n && memcmp(split.data, whole.data, whole.n) == 0);
        free(split.data);
    }
    if (whole.verdict == GH_OK)
        check_body(bytes, &whole);
    else if (whole.verdict != GH_MORE)
        CHECK(gh_verdict_status(whole.verdict) >= 400);
    free(whole.data);
    return 0;
}
