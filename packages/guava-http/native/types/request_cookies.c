/* request_cookies.c: a request's Cookie fields as a dict: the first of each name counts, as the
 * more specific path comes first (RFC 6265, 5.4), and no more than GH_MAX_COOKIES are read. */
#include "types/parts.h"

#include <string.h>

#include "core/cookies.h"
#include "core/field.h"

static PyObject *
unescaped_text(gh_text value)
{
    char *plain = PyMem_Malloc(value.len);
    if (plain == NULL)
        return PyErr_NoMemory();
    PyObject *str = gh_utf8_or_latin1(plain, gh_cookie_unescape(value.base, value.len, plain));
    PyMem_Free(plain);
    return str;
}

static int
add_cookie(PyObject *dict, gh_text name, gh_text value, bool quoted)
{
    bool escaped = quoted && value.len > 0 && memchr(value.base, '\\', value.len) != NULL;
    PyObject *key = gh_utf8_or_latin1(name.base, name.len);
    PyObject *text = escaped ? unescaped_text(value) : gh_utf8_or_latin1(value.base, value.len);
    int result = -1;
    if (key != NULL && text != NULL && PyDict_SetDefault(dict, key, text) != NULL)
        result = 0;
    Py_XDECREF(key);
    Py_XDECREF(text);
    return result;
}

PyObject *
gh_cookies_parse(const gh_fields *fields)
{
    PyObject *dict = PyDict_New();
    int left = GH_MAX_COOKIES;
    for (uint32_t i = 0; dict != NULL && i < fields->n; i++) {
        const gh_field *field = &fields->at[i];
        if (!gh_same_name(field->name.base, field->name.len, "cookie", 6))
            continue;
        gh_text rest = {field->value.base, field->value.len};
        gh_text name;
        gh_text value;
        bool quoted;
        while (left > 0 && gh_cookie_next(&rest, &name, &value, &quoted)) {
            left--;
            if (add_cookie(dict, name, value, quoted) < 0) {
                Py_CLEAR(dict);
                break;
            }
        }
    }
    return dict;
}
