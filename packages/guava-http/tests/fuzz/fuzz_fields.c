/* fuzz_fields.c: what many fields are made of: tokens, lists, parameters, weights. Accept,
 * Content-Type and Content-Disposition are read with these. */
#include "core/field.h"
#include "core/params.h"
#include "text.h"

/* A weight of RFC 9110, 12.4.2 is what this makes of it. */
static int
weight(gh_text text)
{
    int thousandths = 0, scale = 1000;
    if (text.len == 0 || text.len > 5 || (text.base[0] != '0' && text.base[0] != '1'))
        return -1;
    thousandths = (text.base[0] - '0') * 1000;
    if (text.len > 1 && text.base[1] != '.')
        return -1;
    for (size_t i = 2; i < text.len; i++) {
        if (text.base[i] < '0' || text.base[i] > '9')
            return -1;
        scale /= 10;
        thousandths += (text.base[i] - '0') * scale;
    }
    return thousandths > 1000 ? -1 : thousandths;
}

static void
check_params(gh_text params, const fuzz_text *text)
{
    gh_text name, value;
    bool quoted;
    check_within(gh_params_value(&params), text);
    while (gh_param_next(&params, &name, &value, &quoted)) {
        CHECK(gh_is_token(name.base, name.len));
        check_within(name, text);
        check_within(value, text);
        check_within(params, text);
        check_decoder(value, gh_quoted_unescape);
        CHECK(gh_weight(value) == weight(value));
    }
}

static void
check_list(const fuzz_text *text)
{
    gh_text rest = {text->base, text->len}, element;
    while (gh_list_next(&rest, &element)) {
        CHECK(element.len > 0);
        check_within(element, text);
        check_within(rest, text);
        CHECK(element.base[0] != ' ' && element.base[element.len - 1] != '\t');
        check_params(element, text);
    }
}

static void
check_bytes(const fuzz_text *text)
{
    const char *at = text->base;
    size_t left = text->len;
    bool token = text->len > 0, value = true;
    for (size_t i = 0; i < text->len; i++) {
        uint8_t byte = (uint8_t)text->base[i];
        token = token && byte > ' ' && byte < 0x7f && strchr("\"(),/:;<=>?@[\\]{}", byte) == NULL;
        value = value && (byte == '\t' || (byte >= ' ' && byte != 0x7f));
    }
    CHECK(gh_is_token(text->base, text->len) == token);
    CHECK(gh_is_field_value(text->base, text->len) == value);
    CHECK(!gh_is_cgi_name(text->base, text->len) || token);
    gh_strip(&at, &left);
    CHECK(left == 0 || inside(at, left, text->base, text->len));
    CHECK(left == 0 || (strchr(" \t", *at) == NULL && strchr(" \t", at[left - 1]) == NULL) ||
          *at == '\0' || at[left - 1] == '\0');
    CHECK(gh_same_name(text->base, text->len, text->base, text->len));
    size_t half = text->len / 2;
    (void)gh_same_name(text->base, half, text->base + half, text->len - half);
}

static void
fuzz_fields(const fuzz_text *text)
{
    check_list(text);
    check_params((gh_text){text->base, text->len}, text);
    check_bytes(text);
    CHECK(gh_weight((gh_text){text->base, text->len}) == weight((gh_text){text->base, text->len}));
}

FUZZ_TEXT(fuzz_fields)
