/* query.c: splits and decodes query strings and urlencoded forms, in one pass and without
 * memory of its own. */
#include "core/query.h"

#include <stdint.h>
#include <string.h>

static int
hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

bool
gh_query_next(gh_text *rest, gh_text *name, gh_text *value)
{
    while (rest->len > 0) {
        const char *piece = rest->base;
        const char *amp = memchr(piece, '&', rest->len);
        size_t n = amp == NULL ? rest->len : (size_t)(amp - piece);
        size_t used = amp == NULL ? n : n + 1;
        rest->base += used;
        rest->len -= used;
        if (n == 0)
            continue;
        const char *equals = memchr(piece, '=', n);
        size_t name_len = equals == NULL ? n : (size_t)(equals - piece);
        *name = (gh_text){piece, name_len};
        *value =
            equals == NULL ? (gh_text){piece + n, 0} : (gh_text){equals + 1, n - name_len - 1};
        return true;
    }
    return false;
}

size_t
gh_unquote(const char *in, size_t n, bool plus, char *out)
{
    char *to = out;
    for (size_t i = 0; i < n; i++) {
        char byte = in[i];
        if (byte == '%' && n - i > 2) {
            int high = hex_value(in[i + 1]);
            int low = hex_value(in[i + 2]);
            if (high >= 0 && low >= 0) {
                *to++ = (char)(high << 4 | low);
                i += 2;
                continue;
            }
        }
        *to++ = plus && byte == '+' ? ' ' : byte;
    }
    return (size_t)(to - out);
}

static bool
is_unreserved(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' ||
           byte == '~';
}

size_t
gh_quote(const char *in, size_t n, const char *keep, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    char *to = out;
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = (uint8_t)in[i];
        if (is_unreserved(in[i]) || (byte != 0 && strchr(keep, in[i]) != NULL)) {
            *to++ = in[i];
            continue;
        }
        *to++ = '%';
        *to++ = digits[byte >> 4];
        *to++ = digits[byte & 15];
    }
    return (size_t)(to - out);
}
