/* fuzz_query.c: query strings and percent-encoding, against readers that go byte by byte. */
#include "text.h"

static size_t
unquote_plus(const char *in, size_t n, char *out)
{
    return gh_unquote(in, n, true, out);
}

static size_t
unquote(const char *in, size_t n, char *out)
{
    return gh_unquote(in, n, false, out);
}

/* The pieces are those between the "&"s, in their order, cut at their first "=". */
static void
check_pieces(const fuzz_text *text)
{
    gh_text rest = {text->base, text->len}, name, value;
    size_t at = 0;
    while (gh_query_next(&rest, &name, &value)) {
        check_within(name, text);
        check_within(value, text);
        check_within(rest, text);
        while (text->base[at] == '&')
            at++;
        CHECK(name.base == text->base + at);
        for (size_t i = 0; i < name.len; i++)
            CHECK(name.base[i] != '&' && name.base[i] != '=');
        at += name.len;
        bool cut = at < text->len && text->base[at] == '=';
        CHECK(cut || value.len == 0);
        CHECK(!cut || value.base == text->base + at + 1);
        at += cut ? 1 + value.len : 0;
        CHECK(at == text->len || text->base[at] == '&');
        check_decoder(name, unquote_plus);
        check_decoder(value, unquote);
    }
    for (; at < text->len; at++)
        CHECK(text->base[at] == '&');
}

static void
check_quote(const fuzz_text *text)
{
    size_t n = text->len;
    char *quoted = malloc(3 * n + 1), *again = malloc(3 * n + 1);
    CHECK(quoted != NULL && again != NULL);
    size_t size = gh_quote(text->base, n, "/", quoted);
    CHECK(size <= 3 * n);
    for (size_t i = 0; i < size; i++)
        CHECK(quoted[i] > ' ' && quoted[i] < 0x7f && strchr("\"#&+<=>?", quoted[i]) == NULL);
    CHECK(gh_unquote(quoted, size, true, again) == n && memcmp(again, text->base, n) == 0);
    free(quoted);
    free(again);
}

static void
fuzz_query(const fuzz_text *text)
{
    check_pieces(text);
    check_quote(text);
}

FUZZ_TEXT(fuzz_query)
