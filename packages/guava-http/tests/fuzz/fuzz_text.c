/* fuzz_text.c: the texts inside a request: queries, cookies, lists, parameters, dates,
 * authorities. The first byte of the input chooses the function, the rest is the text. */
#include "check.h"
#include "core/conditions.h"
#include "core/cookies.h"
#include "core/date.h"
#include "core/date_parse.h"
#include "core/field.h"
#include "core/params.h"
#include "core/query.h"
#include "core/ranges.h"
#include "core/target.h"

static void
check_inside(gh_text part, const char *text, size_t n)
{
    CHECK(part.len == 0 || inside(part.base, part.len, text, n));
}

/* In place and elsewhere the same, and never longer. */
static void
check_decoder(gh_text in, size_t (*decode)(const char *, size_t, char *))
{
    char *apart = malloc(in.len + 1), *place = exact(in.base, in.len);
    CHECK(apart != NULL);
    size_t n = decode(in.base, in.len, apart);
    CHECK(n <= in.len && decode(place, in.len, place) == n && memcmp(apart, place, n) == 0);
    free(apart);
    free(place);
}

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

static void
fuzz_query(const char *text, size_t n)
{
    gh_text rest = {text, n}, name, value;
    while (gh_query_next(&rest, &name, &value)) {
        check_inside(name, text, n);
        check_inside(value, text, n);
        check_inside(rest, text, n);
        CHECK(name.len + value.len > 0 || n > 0);
        CHECK(memchr(name.base, '&', name.len) == NULL &&
              memchr(name.base, '=', name.len) == NULL);
        check_decoder(name, unquote_plus);
        check_decoder(value, unquote);
    }
}

static void
fuzz_quote(const char *text, size_t n)
{
    char *quoted = malloc(3 * n + 1), *again = malloc(3 * n + 1);
    CHECK(quoted != NULL && again != NULL);
    size_t size = gh_quote(text, n, "/", quoted);
    CHECK(size <= 3 * n);
    for (size_t i = 0; i < size; i++)
        CHECK(quoted[i] > ' ' && quoted[i] < 0x7f);
    CHECK(gh_unquote(quoted, size, true, again) == n && memcmp(again, text, n) == 0);
    free(quoted);
    free(again);
}

static void
fuzz_cookies(const char *text, size_t n)
{
    gh_text rest = {text, n}, name, value;
    bool quoted;
    while (gh_cookie_next(&rest, &name, &value, &quoted)) {
        CHECK(name.len > 0);
        check_inside(name, text, n);
        check_inside(value, text, n);
        check_inside(rest, text, n);
        check_decoder(value, gh_cookie_unescape);
    }
    (void)gh_is_cookie_value(text, n);
    (void)gh_is_cookie_attribute(text, n);
}

static void
fuzz_list(const char *text, size_t n)
{
    gh_text rest = {text, n}, element, name, value;
    bool quoted;
    while (gh_list_next(&rest, &element)) {
        CHECK(element.len > 0);
        check_inside(element, text, n);
        check_inside(rest, text, n);
        gh_text params = element, first = gh_params_value(&params);
        check_inside(first, text, n);
        while (gh_param_next(&params, &name, &value, &quoted)) {
            CHECK(gh_is_token(name.base, name.len));
            check_inside(name, text, n);
            check_inside(value, text, n);
            check_decoder(value, gh_quoted_unescape);
            CHECK(gh_weight(value) >= -1 && gh_weight(value) <= 1000);
        }
    }
}

static void
fuzz_date(const char *text, size_t n)
{
    int64_t seconds, again;
    char date[GH_DATE_SIZE];
    if (!gh_date_parse(text, n, 1000000000, &seconds))
        return;
    /* Years of four digits can be written as well as read. */
    CHECK(gh_date_render(seconds, date));
    CHECK(gh_date_parse(date, GH_DATE_SIZE, 0, &again) && again == seconds);
}

static void
fuzz_authority(const char *text, size_t n)
{
    gh_slice slice = {text, (uint32_t)n};
    if (!gh_is_authority(slice, false))
        return;
    CHECK(n > 0 && gh_is_authority(slice, true));
    CHECK(memchr(text, '@', n) == NULL && memchr(text, '/', n) == NULL);
    CHECK(gh_is_field_value(text, n) && memchr(text, ' ', n) == NULL);
}

static void
fuzz_field(const char *text, size_t n)
{
    const char *at = text;
    size_t left = n;
    gh_strip(&at, &left);
    CHECK(left == 0 || inside(at, left, text, n));
    CHECK(left == 0 || (*at != ' ' && *at != '\t'));
    if (gh_is_token(text, n))
        CHECK(gh_is_field_value(text, n) && gh_same_name(text, n, text, n));
    (void)gh_same_name(text, n / 2, text + n / 2, n - n / 2);
}

/* Of files of several sizes: ranges lie within and do not overlap. */
static void
fuzz_ranges(const char *text, size_t n)
{
    static const int64_t sizes[] = {0, 1, 1000, INT64_MAX};
    gh_range ranges[GH_MOST_RANGES];
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        int found = gh_ranges_parse((gh_text){text, n}, sizes[i], ranges);
        CHECK(found != 0 && found >= GH_RANGES_UNSATISFIABLE && found <= GH_MOST_RANGES);
        for (int a = 0; a < found; a++) {
            CHECK(0 <= ranges[a].start && ranges[a].start < ranges[a].stop);
            CHECK(ranges[a].stop <= sizes[i]);
            for (int b = 0; b < a; b++)
                CHECK(ranges[a].stop <= ranges[b].start || ranges[b].stop <= ranges[a].start);
        }
    }
}

/* As each of the fields, against a tag and as one. */
static void
fuzz_conditions(const char *text, size_t n)
{
    static const char *const names[] = {"If-Match", "If-None-Match", "If-Modified-Since",
                                        "If-Unmodified-Since", "If-Range"};
    gh_text in = {text, n};
    gh_validators validators = {{"\"a\"", 3}, true, 784111777, 784111778};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        gh_field field = {{names[i], (uint32_t)strlen(names[i])}, {text, (uint32_t)n}};
        gh_condition condition = gh_conditions(&field, 1, &validators);
        CHECK(condition == GH_SEND || condition == GH_NOT_MODIFIED || condition == GH_FAILED);
        (void)gh_if_range(&field, 1, &validators);
    }
    /* What is strongly listed is weakly, and a tag is listed in itself. */
    CHECK(!gh_etag_listed(in, validators.etag, true) ||
          gh_etag_listed(in, validators.etag, false));
    CHECK(!gh_is_etag(in) || gh_etag_listed(in, in, false));
}

static void (*const functions[])(const char *, size_t) = {
    fuzz_query,     fuzz_quote, fuzz_cookies, fuzz_list,       fuzz_date,
    fuzz_authority, fuzz_field, fuzz_ranges,  fuzz_conditions,
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *text = exact(data + 1, size - 1);
    functions[data[0] % (sizeof(functions) / sizeof(functions[0]))](text, size - 1);
    free(text);
    return 0;
}
