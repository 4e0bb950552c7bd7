/* cookies.c: reads a Cookie field in one pass, whatever stands in it; time grows with its length
 * and with nothing else. */
#include "core/cookies.h"

#include <stdint.h>
#include <string.h>

#include "core/field.h"

/* The value's closing quote is looked for inside its own piece, that is up to the next ";", as
 * browsers cut cookies: a stray quote cannot swallow the cookies that follow it. */
bool
gh_cookie_next(gh_text *rest, gh_text *name, gh_text *value, bool *quoted)
{
    while (rest->len > 0) {
        const char *piece = rest->base;
        const char *end = memchr(piece, ';', rest->len);
        size_t n = end == NULL ? rest->len : (size_t)(end - piece);
        size_t used = end == NULL ? n : n + 1;
        rest->base += used;
        rest->len -= used;
        const char *equals = n == 0 ? NULL : memchr(piece, '=', n);
        if (equals == NULL)
            continue;
        *name = (gh_text){piece, (size_t)(equals - piece)};
        *value = (gh_text){equals + 1, n - name->len - 1};
        gh_strip(&name->base, &name->len);
        gh_strip(&value->base, &value->len);
        if (name->len == 0)
            continue;
        *quoted = value->len >= 2 && value->base[0] == '"' && value->base[value->len - 1] == '"';
        if (*quoted)
            *value = (gh_text){value->base + 1, value->len - 2};
        return true;
    }
    return false;
}

static bool
is_octal(char byte, char highest)
{
    return byte >= '0' && byte <= highest;
}

size_t
gh_cookie_unescape(const char *in, size_t n, char *out)
{
    char *to = out;
    for (size_t i = 0; i < n; i++) {
        if (in[i] != '\\' || n - i < 2) {
            *to++ = in[i];
        } else if (n - i > 3 && is_octal(in[i + 1], '3') && is_octal(in[i + 2], '7') &&
                   is_octal(in[i + 3], '7')) {
            *to++ = (char)((in[i + 1] - '0') << 6 | (in[i + 2] - '0') << 3 | (in[i + 3] - '0'));
            i += 3;
        } else {
            *to++ = in[++i];
        }
    }
    return (size_t)(to - out);
}

bool
gh_is_cookie_value(const char *text, size_t n)
{
    if (n >= 2 && text[0] == '"' && text[n - 1] == '"') {
        text++;
        n -= 2;
    }
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = (uint8_t)text[i];
        if (byte <= ' ' || byte >= 0x7f || byte == '"' || byte == ',' || byte == ';' ||
            byte == '\\')
            return false;
    }
    return true;
}

bool
gh_is_cookie_attribute(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = (uint8_t)text[i];
        if (byte < ' ' || byte >= 0x7f || byte == ';')
            return false;
    }
    return true;
}
