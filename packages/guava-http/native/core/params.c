/* params.c: cuts a field's value at commas, semicolons and equals signs, where they are not in
 * double quotes. Each byte is looked at a fixed number of times, whatever the value is. */
#include "core/params.h"

#include <string.h>

#include "core/field.h"

/* How many bytes stand before the first `stop` that is not in double quotes; all of them if there
 * is none. A quote that nobody closes reaches to the end. */
static size_t
find(gh_text text, char stop)
{
    bool in_quotes = false;
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.base[i];
        if (byte == '"')
            in_quotes = !in_quotes;
        else if (in_quotes && byte == '\\')
            i++;
        else if (!in_quotes && byte == stop)
            return i;
    }
    return text.len;
}

/* Takes the first n bytes and the separator after them off *rest. */
static gh_text
take(gh_text *rest, size_t n)
{
    gh_text piece = {rest->base, n};
    size_t used = n < rest->len ? n + 1 : n;
    rest->base += used;
    rest->len -= used;
    gh_strip(&piece.base, &piece.len);
    return piece;
}

bool
gh_list_next(gh_text *rest, gh_text *element)
{
    while (rest->len > 0) {
        *element = take(rest, find(*rest, ','));
        if (element->len > 0)
            return true;
    }
    return false;
}

gh_text
gh_params_value(gh_text *rest)
{
    const char *semicolon = rest->len == 0 ? NULL : memchr(rest->base, ';', rest->len);
    return take(rest, semicolon == NULL ? rest->len : (size_t)(semicolon - rest->base));
}

bool
gh_param_next(gh_text *rest, gh_text *name, gh_text *value, bool *quoted)
{
    while (rest->len > 0) {
        *value = take(rest, find(*rest, ';'));
        const char *equals = value->len == 0 ? NULL : memchr(value->base, '=', value->len);
        if (equals == NULL)
            continue;
        *name = take(value, (size_t)(equals - value->base));
        gh_strip(&value->base, &value->len);
        if (!gh_is_token(name->base, name->len))
            continue;
        *quoted = value->len >= 2 && value->base[0] == '"' && value->base[value->len - 1] == '"';
        if (*quoted)
            *value = (gh_text){value->base + 1, value->len - 2};
        return true;
    }
    return false;
}

size_t
gh_quoted_unescape(const char *in, size_t n, char *out)
{
    char *to = out;
    for (size_t i = 0; i < n; i++) {
        if (in[i] == '\\' && n - i > 1 && (in[i + 1] == '"' || in[i + 1] == '\\'))
            i++;
        *to++ = in[i];
    }
    return (size_t)(to - out);
}

int
gh_weight(gh_text text)
{
    if (text.len < 1 || text.len > 5 || (text.base[0] != '0' && text.base[0] != '1') ||
        (text.len > 1 && text.base[1] != '.'))
        return -1;
    int weight = (text.base[0] - '0') * 1000;
    int unit = 100;
    for (size_t i = 2; i < text.len; i++, unit /= 10) {
        if (text.base[i] < '0' || text.base[i] > '9')
            return -1;
        weight += (text.base[i] - '0') * unit;
    }
    return weight <= 1000 ? weight : -1;
}
