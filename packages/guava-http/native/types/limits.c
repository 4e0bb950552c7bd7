/* limits.c: Python's Limits as the numbers that core/ goes by. Limits has looked at its ranges
 * already; what is checked here again is what memory depends on, whoever made the object. */
#include "types/types.h"

#include <stddef.h>

#include "core/limits.h"

typedef struct {
    const char *name;
    size_t offset;
    uint64_t least, most;
    bool wide; /* 64 bits */
} number;

#define NARROW(field, least, most) {#field, offsetof(gh_limits, field), least, most, false}
#define WIDE(field, least, most) {#field, offsetof(gh_limits, field), least, most, true}

static const number numbers[] = {
    NARROW(head, 64, GH_HEAD_MOST),
    NARROW(fields, 1, UINT16_MAX),
    NARROW(target, 1, GH_TARGET_MOST),
    WIDE(body, 0, INT64_MAX / 2 + 1),
    NARROW(chunk_extensions, 0, GH_HEAD_MOST),
    NARROW(trailers, 0, GH_HEAD_MOST),
};

int
gh_number_read(PyObject *object, const char *name, uint64_t least, uint64_t most, uint64_t *result)
{
    PyObject *value = PyObject_GetAttrString(object, name);
    if (value == NULL)
        return -1;
    *result = PyLong_AsUnsignedLongLong(value);
    Py_DECREF(value);
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_OverflowError))
        return -1;
    if (PyErr_Occurred() || *result < least || *result > most) {
        PyErr_Format(PyExc_ValueError, "%s must be from %llu to %llu", name,
                     (unsigned long long)least, (unsigned long long)most);
        return -1;
    }
    return 0;
}

int
gh_limits_read(PyObject *object, gh_limits *limits)
{
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        const number *it = &numbers[i];
        uint64_t value;
        if (gh_number_read(object, it->name, it->least, it->most, &value) < 0)
            return -1;
        void *place = (char *)limits + it->offset;
        if (it->wide)
            *(uint64_t *)place = value;
        else
            *(uint32_t *)place = (uint32_t)value;
    }
    return 0;
}
