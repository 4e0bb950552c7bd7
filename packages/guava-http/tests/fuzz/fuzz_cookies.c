/* fuzz_cookies.c: Cookie fields, and what may stand in a Set-Cookie field. */
#include "core/cookies.h"
#include "core/field.h"
#include "text.h"

/* What is taken for a value may be sent as one, and comes back the same. */
static void
check_sent(const fuzz_text *text)
{
    gh_text rest, name, value;
    bool quoted;
    if (!gh_is_cookie_value(text->base, text->len))
        return;
    char *field = malloc(text->len + 2);
    CHECK(field != NULL);
    memcpy(field, "a=", 2);
    memcpy(field + 2, text->base, text->len);
    rest = (gh_text){field, text->len + 2};
    CHECK(gh_cookie_next(&rest, &name, &value, &quoted));
    CHECK(name.len == 1 && rest.len == 0 && value.len + (quoted ? 2 : 0) == text->len);
    CHECK(memcmp(value.base, text->base + (quoted ? 1 : 0), value.len) == 0);
    CHECK(gh_is_field_value(text->base, text->len));
    CHECK(gh_is_cookie_attribute(text->base, text->len));
    free(field);
}

static void
fuzz_cookies(const fuzz_text *text)
{
    gh_text rest = {text->base, text->len}, name, value;
    const char *at = text->base;
    bool quoted;
    while (gh_cookie_next(&rest, &name, &value, &quoted)) {
        CHECK(name.len > 0 && name.base >= at);
        check_within(name, text);
        check_within(value, text);
        check_within(rest, text);
        CHECK(memchr(name.base, '=', name.len) == NULL);
        CHECK(memchr(name.base, ';', name.len) == NULL);
        CHECK(value.len == 0 || memchr(value.base, ';', value.len) == NULL);
        CHECK(value.base > name.base);
        at = value.base + value.len;
        CHECK(rest.base >= at);
        check_decoder(value, gh_cookie_unescape);
    }
    check_sent(text);
}

FUZZ_TEXT(fuzz_cookies)
