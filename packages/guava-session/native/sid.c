/* sid.c: session ids. An id is 32 bytes of the operating system's randomness, written in the
 * URL-safe base64 alphabet without padding: 43 characters that need no quoting in a cookie, a
 * file name or a key of any store. Bytes are never kept between calls, so a fork cannot make two
 * processes hand out the same id. */
#include "parts.h"

#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

#define SID_BYTES 32
#define SID_CHARS 43

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void
sid_write(const unsigned char *random, char *text)
{
    size_t in = 0, out = 0;

    for (; in + 3 <= SID_BYTES; in += 3) {
        unsigned group = (unsigned)random[in] << 16 | random[in + 1] << 8 | random[in + 2];
        text[out++] = alphabet[group >> 18];
        text[out++] = alphabet[group >> 12 & 63];
        text[out++] = alphabet[group >> 6 & 63];
        text[out++] = alphabet[group & 63];
    }
    /* Two bytes are left over: sixteen bits in three characters. */
    unsigned rest = (unsigned)random[in] << 8 | random[in + 1];
    text[out++] = alphabet[rest >> 10];
    text[out++] = alphabet[rest >> 4 & 63];
    text[out++] = alphabet[rest << 2 & 63];
}

PyDoc_STRVAR(generate_id_doc, "generate_id($module, /)\n--\n\n"
                              "A new session id: 256 random bits of the operating system as 43\n"
                              "characters of A-Z a-z 0-9 - _ (RFC 4648, section 5).\n\n"
                              "Raises OSError when the system has no randomness to give.");

static PyObject *
sid_generate_id(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    unsigned char random[SID_BYTES];
    char text[SID_CHARS];

    if (getentropy(random, sizeof(random)) != 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    sid_write(random, text);
    return PyUnicode_DecodeASCII(text, SID_CHARS, NULL);
}

static int
sid_is_char(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '_';
}

PyDoc_STRVAR(is_id_doc,
             "is_id($module, value, /)\n--\n\n"
             "Whether value has the shape of generate_id()'s results: a str of exactly\n"
             "43 characters of A-Z a-z 0-9 - _. It says nothing about who made it.");

static PyObject *
sid_is_id(PyObject *Py_UNUSED(module), PyObject *value)
{
    if (!PyUnicode_Check(value) || !PyUnicode_IS_COMPACT_ASCII(value) ||
        PyUnicode_GET_LENGTH(value) != SID_CHARS)
        Py_RETURN_FALSE;
    const Py_UCS1 *text = PyUnicode_1BYTE_DATA(value);
    for (int i = 0; i < SID_CHARS; i++) {
        if (!sid_is_char(text[i]))
            Py_RETURN_FALSE;
    }
    Py_RETURN_TRUE;
}

static PyMethodDef sid_functions[] = {
    {"generate_id", sid_generate_id, METH_NOARGS, generate_id_doc},
    {"is_id", sid_is_id, METH_O, is_id_doc},
    {NULL},
};

int
gs_sid_register(PyObject *module)
{
    return PyModule_AddFunctions(module, sid_functions);
}
