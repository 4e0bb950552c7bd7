/* text.c: the forms of the built-in converters. Plain C.
 *
 * A form is decided without making a value, so that a way that leads nowhere allocates nothing.
 * What is accepted here always has a value, save a number with more digits than the interpreter
 * was told to read. */
#include "radix.h"

#define DIGITS 4300 /* Python's own limit, sys.int_info.default_max_str_digits */

static inline bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool
is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static size_t
digits(const char *text, size_t n)
{
    size_t i = 0;
    while (i < n && is_digit(text[i]))
        i++;
    return i;
}

static bool
is_int(const char *text, size_t n)
{
    size_t sign = n > 0 && text[0] == '-';
    return n > sign && n - sign <= DIGITS && digits(text + sign, n - sign) == n - sign;
}

static bool
is_float(const char *text, size_t n)
{
    size_t sign = n > 0 && text[0] == '-';
    text += sign;
    n -= sign;
    size_t whole = digits(text, n);
    if (whole == 0 || n > DIGITS)
        return false;
    if (whole == n)
        return true;
    size_t rest = n - whole - 1;
    return text[whole] == '.' && rest > 0 && digits(text + whole + 1, rest) == rest;
}

static bool
is_uuid(const char *text, size_t n)
{
    if (n != 36)
        return false;
    for (size_t i = 0; i < n; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !is_hex(text[i]))
            return false;
    }
    return true;
}

static int
number(const char *text, size_t n)
{
    int value = 0;
    for (size_t i = 0; i < n; i++)
        value = value * 10 + (text[i] - '0');
    return value;
}

static bool
is_date(const char *text, size_t n)
{
    if (n != 10 || text[4] != '-' || text[7] != '-' || digits(text, 4) != 4 ||
        digits(text + 5, 2) != 2 || digits(text + 8, 2) != 2)
        return false;
    int year = number(text, 4), month = number(text + 5, 2), day = number(text + 8, 2);
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    bool short_month = month == 4 || month == 6 || month == 9 || month == 11;
    int last = month == 2 ? 28 + leap : short_month ? 30 : 31;
    return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= last;
}

bool
gr_text_suits(uint8_t converter, const char *text, size_t n)
{
    switch (converter) {
    case GR_CONVERTER_UUID:
        return is_uuid(text, n);
    case GR_CONVERTER_DATE:
        return is_date(text, n);
    case GR_CONVERTER_INT:
        return is_int(text, n);
    case GR_CONVERTER_FLOAT:
        return is_float(text, n);
    default:
        return n > 0;
    }
}
