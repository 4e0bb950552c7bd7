/* fields.c: reading an array of fields as a case-insensitive mapping. RequestHeaders and Headers
 * differ in where the array lies and who may change it, not in how it is read.
 *
 * Making a list or a tuple may run the garbage collector and with it anybody's code, so each
 * function looks at fields->at and fields->n anew in every round. */
#define PY_SSIZE_T_CLEAN
#include "types/parts.h"

#include <string.h>

#include "core/field.h"

static bool
is_named(const gh_field *field, gh_text name)
{
    return gh_same_name(field->name.base, field->name.len, name.base, name.len);
}

static bool
is_text(gh_text text, const char *other)
{
    return gh_same_name(text.base, text.len, other, strlen(other));
}

static gh_text
name_of(const gh_field *field)
{
    return (gh_text){field->name.base, field->name.len};
}

const gh_fields *
gh_fields_of(gh_types *types, PyObject *object)
{
    if (PyObject_TypeCheck(object, types->headers))
        return gh_headers_fields(object);
    if (Py_IS_TYPE(object, types->request_headers))
        return gh_request_headers_fields(object);
    return NULL;
}

const gh_field *
gh_fields_find(const gh_fields *fields, const char *name, size_t n)
{
    for (uint32_t i = 0; i < fields->n; i++) {
        if (is_named(&fields->at[i], (gh_text){name, n}))
            return &fields->at[i];
    }
    return NULL;
}

/* RFC 9110, 5.3: fields of one name are joined by a comma; but for Cookie it is a semicolon (RFC
 * 9113, 8.2.3), and Set-Cookie cannot be joined at all. */
PyObject *
gh_fields_get(const gh_fields *fields, gh_text name)
{
    PyObject *joined = NULL;
    for (uint32_t i = 0; i < fields->n; i++) {
        const gh_field *field = &fields->at[i];
        if (!is_named(field, name))
            continue;
        PyObject *value = gh_latin1(field->value.base, field->value.len);
        if (value == NULL || joined == NULL) {
            Py_XSETREF(joined, value);
            if (value == NULL)
                return NULL;
            continue;
        }
        if (is_text(name, "set-cookie")) {
            Py_DECREF(value);
            break;
        }
        const char *form = is_text(name, "cookie") ? "%U; %U" : "%U, %U";
        Py_SETREF(joined, PyUnicode_FromFormat(form, joined, value));
        Py_DECREF(value);
        if (joined == NULL)
            return NULL;
    }
    return joined;
}

PyObject *
gh_fields_list(const gh_fields *fields, gh_text name)
{
    PyObject *list = PyList_New(0);
    for (uint32_t i = 0; list != NULL && i < fields->n; i++) {
        const gh_field *field = &fields->at[i];
        if (!is_named(field, name))
            continue;
        PyObject *value = gh_latin1(field->value.base, field->value.len);
        if (value == NULL || PyList_Append(list, value) < 0)
            Py_CLEAR(list);
        Py_XDECREF(value);
    }
    return list;
}

/* Quadratic, but over no more fields than the head's limit lets in. */
static bool
is_repeated(const gh_fields *fields, uint32_t i)
{
    for (uint32_t before = 0; before < i; before++) {
        if (is_named(&fields->at[before], name_of(&fields->at[i])))
            return true;
    }
    return false;
}

uint32_t
gh_fields_count(const gh_fields *fields)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < fields->n; i++)
        count += !is_repeated(fields, i);
    return count;
}

PyObject *
gh_fields_names(gh_types *types, const gh_fields *fields)
{
    PyObject *list = PyList_New(0);
    for (uint32_t i = 0; list != NULL && i < fields->n; i++) {
        if (is_repeated(fields, i))
            continue;
        PyObject *name = gh_name_str(types, fields->at[i].name);
        if (name == NULL || PyList_Append(list, name) < 0)
            Py_CLEAR(list);
        Py_XDECREF(name);
    }
    return list;
}

PyObject *
gh_fields_pairs(gh_types *types, const gh_fields *fields)
{
    PyObject *list = PyList_New(0);
    for (uint32_t i = 0; list != NULL && i < fields->n; i++) {
        gh_field field = fields->at[i];
        PyObject *pair = NULL;
        PyObject *name = gh_name_str(types, field.name);
        PyObject *value = gh_latin1(field.value.base, field.value.len);
        if (name != NULL && value != NULL)
            pair = PyTuple_Pack(2, name, value);
        if (pair == NULL || PyList_Append(list, pair) < 0)
            Py_CLEAR(list);
        Py_XDECREF(name);
        Py_XDECREF(value);
        Py_XDECREF(pair);
    }
    return list;
}

PyObject *
gh_fields_raw(const gh_fields *fields)
{
    PyObject *list = PyList_New(0);
    for (uint32_t i = 0; list != NULL && i < fields->n; i++) {
        gh_field field = fields->at[i];
        PyObject *pair = Py_BuildValue("(y#y#)", field.name.base, (Py_ssize_t)field.name.len,
                                       field.value.base, (Py_ssize_t)field.value.len);
        if (pair == NULL || PyList_Append(list, pair) < 0)
            Py_CLEAR(list);
        Py_XDECREF(pair);
    }
    return list;
}

/* What a name stands for when mappings are compared: its values joined, or where they cannot be
 * (Set-Cookie) their list. */
static PyObject *
compared_value(const gh_fields *fields, gh_text name)
{
    if (!is_text(name, "set-cookie"))
        return gh_fields_get(fields, name);
    PyObject *list = gh_fields_list(fields, name);
    if (list != NULL && PyList_GET_SIZE(list) == 1)
        Py_SETREF(list, Py_NewRef(PyList_GET_ITEM(list, 0)));
    return list;
}

static int
set_lower(PyObject *form, PyObject *name, PyObject *value)
{
    PyObject *key =
        PyUnicode_Check(name) ? PyObject_CallMethod(name, "lower", NULL) : Py_NewRef(name);
    int result = key == NULL || value == NULL ? -1 : PyDict_SetItem(form, key, value);
    Py_XDECREF(key);
    return result;
}

static int
fields_form(gh_types *types, const gh_fields *fields, PyObject *form)
{
    PyObject *names = gh_fields_names(types, fields);
    int result = names == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; result == 0 && i < PyList_GET_SIZE(names); i++) {
        gh_text name;
        result = gh_latin1_text(PyList_GET_ITEM(names, i), "a field name", &name);
        PyObject *value = result < 0 ? NULL : compared_value(fields, name);
        if (value != NULL)
            result = set_lower(form, PyList_GET_ITEM(names, i), value);
        else if (PyErr_Occurred())
            result = -1;
        Py_XDECREF(value);
    }
    Py_XDECREF(names);
    return result;
}

static int
dict_form(PyObject *dict, PyObject *form)
{
    PyObject *items = PyDict_Items(dict);
    int result = items == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; result == 0 && i < PyList_GET_SIZE(items); i++) {
        PyObject *pair = PyList_GET_ITEM(items, i);
        result = set_lower(form, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1));
    }
    Py_XDECREF(items);
    return result;
}

/* {lower-case name: value} of headers or of a dict; NULL without an exception for what is
 * neither. */
static PyObject *
normal_form(gh_types *types, PyObject *object)
{
    const gh_fields *fields = gh_fields_of(types, object);
    if (fields == NULL && !PyDict_Check(object))
        return NULL;
    PyObject *form = PyDict_New();
    if (form == NULL)
        return NULL;
    int result = fields != NULL ? fields_form(types, fields, form) : dict_form(object, form);
    if (result < 0)
        Py_CLEAR(form);
    return form;
}

PyObject *
gh_fields_compare(gh_types *types, PyObject *a, PyObject *b, int op)
{
    if (op != Py_EQ && op != Py_NE)
        Py_RETURN_NOTIMPLEMENTED;
    PyObject *result = NULL;
    PyObject *left = normal_form(types, a);
    PyObject *right = left == NULL ? NULL : normal_form(types, b);
    if (left != NULL && right != NULL)
        result = PyObject_RichCompare(left, right, op);
    else if (!PyErr_Occurred())
        result = Py_NewRef(Py_NotImplemented);
    Py_XDECREF(left);
    Py_XDECREF(right);
    return result;
}
