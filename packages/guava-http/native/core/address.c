/* address.c: reads what inet_pton(3) would, which is no function of C11 and wants a copy with a
 * NUL behind it; and the literals of a future that has not come. */
#include "core/address.h"

#include "core/field.h"

#define GROUPS 8

static bool
is_hex(char byte)
{
    return (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f');
}

/* Four numbers up to 255 without leading zeros. */
static bool
is_ipv4(const char *at, size_t n)
{
    const char *end = at + n;
    for (int part = 0; part < 4; part++) {
        int value = 0, digits = 0;
        if (part > 0 && (at == end || *at++ != '.'))
            return false;
        for (; at < end && *at >= '0' && *at <= '9' && digits < 4; digits++)
            value = value * 10 + *at++ - '0';
        if (digits == 0 || value > 255 || (digits > 1 && at[-digits] == '0'))
            return false;
    }
    return at == end;
}

/* Up to eight groups of up to four digits, the last two of which may be an IPv4 address; one gap,
 * "::", stands for at least one group. */
static bool
is_ipv6(const char *at, size_t n)
{
    const char *end = at + n;
    int groups = 0;
    bool gap = n >= 2 && at[0] == ':' && at[1] == ':';
    if (gap)
        at += 2;
    while (at < end) {
        const char *group = at;
        while (at < end && is_hex(*at) && at - group < 5)
            at++;
        if (at < end && *at == '.') {
            groups += 2;
            return is_ipv4(group, (size_t)(end - group)) &&
                   (gap ? groups < GROUPS : groups == GROUPS);
        }
        if (at == group || at - group > 4)
            return false;
        groups++;
        if (at == end)
            break;
        if (*at++ != ':' || at == end)
            return false;
        if (*at == ':') {
            if (gap)
                return false;
            gap = true;
            at++;
        }
    }
    return gap ? groups < GROUPS : groups == GROUPS;
}

/* "v", a version, a dot and some of what names are made of, or colons. */
static bool
is_future(const char *text, size_t n)
{
    size_t i = 1;
    while (i < n && is_hex(text[i]))
        i++;
    if (i == 1 || n - i < 2 || text[i] != '.')
        return false;
    for (i++; i < n; i++) {
        bool sub_delim = text[i] == '(' || text[i] == ')' || text[i] == ',' || text[i] == ';' ||
                         text[i] == '=' || text[i] == ':';
        /* Beside these, tokens are what is unreserved or a sub-delim, and five more. */
        if (!sub_delim && (!gh_is_token(text + i, 1) || text[i] == '#' || text[i] == '%' ||
                           text[i] == '^' || text[i] == '`' || text[i] == '|'))
            return false;
    }
    return true;
}

bool
gh_is_ip_literal(const char *text, size_t n)
{
    return n > 0 && (text[0] | 0x20) == 'v' ? is_future(text, n) : is_ipv6(text, n);
}
