/* form.c: a whole multipart form as lists, without a Python object for what is not asked for.
 * Forms that core/multipart.c calls unusual are left to multipart.py. */
#define PY_SSIZE_T_CLEAN /* lengths of "#" are Py_ssize_t */
#include "core/multipart.h"
#include "types/parts.h"

typedef struct {
    PyObject *fields; /* [(name, value)] */
    PyObject *files;  /* [(name, filename, type or None, head, body)] */
    uint64_t parts;   /* how many more there may be */
    uint64_t heads;   /* and bytes of their heads */
    uint64_t texts;   /* and of fields */
} form;

static bool
spend(uint64_t *left, uint64_t n)
{
    if (n > *left)
        return false;
    *left -= n;
    return true;
}

static PyObject *
strict_utf8(gh_text text)
{
    return PyUnicode_DecodeUTF8(text.base, (Py_ssize_t)text.len, NULL);
}

static PyObject *
text_or_none(gh_text text)
{
    return text.base == NULL ? Py_NewRef(Py_None) : gh_latin1(text.base, text.len);
}

static int
append(PyObject *list, PyObject *item)
{
    int result = item == NULL ? -1 : PyList_Append(list, item);
    Py_XDECREF(item);
    return result;
}

static int
add_file(form *self, PyObject *name, const gh_part *part)
{
    PyObject *filename = strict_utf8(part->filename);
    if (filename == NULL)
        return -1;
    if (part->filename.len == 0 && part->body.len == 0) {
        Py_DECREF(filename); /* what browsers send where no file was chosen */
        return 0;
    }
    return append(self->files, Py_BuildValue("ONNy#y#", name, filename, text_or_none(part->type),
                                             part->head.base, (Py_ssize_t)part->head.len,
                                             part->body.base, (Py_ssize_t)part->body.len));
}

static int
add_field(form *self, PyObject *name, const gh_part *part)
{
    PyObject *value = PyUnicode_DecodeUTF8(part->body.base, (Py_ssize_t)part->body.len, "replace");
    return value == NULL ? -1 : append(self->fields, Py_BuildValue("ON", name, value));
}

/* 1; 0 if it is unusual, too many or too much; -1 with an exception. */
static int
add(form *self, const gh_part *part)
{
    if (!spend(&self->parts, 1) || !spend(&self->heads, part->head.len) ||
        (part->filename.base == NULL && !spend(&self->texts, part->body.len)))
        return 0;
    PyObject *name = strict_utf8(part->name);
    int result = -1;
    if (name != NULL)
        result =
            part->filename.base != NULL ? add_file(self, name, part) : add_field(self, name, part);
    Py_XDECREF(name);
    if (result == 0)
        return 1;
    if (!PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
        return -1;
    PyErr_Clear();
    return 0;
}

static PyObject *
parse_form(PyObject *Py_UNUSED(module), PyObject *args)
{
    gh_text type, body;
    Py_ssize_t type_len, body_len;
    unsigned long long most_parts, most_heads, most_texts, longest;
    gh_multipart parser;
    gh_part part;
    form self = {0};
    if (!PyArg_ParseTuple(args, "s#y#KKKK:parse_form", &type.base, &type_len, &body.base,
                          &body_len, &most_parts, &most_heads, &most_texts, &longest))
        return NULL;
    type.len = (size_t)type_len;
    body.len = (size_t)body_len;
    if (!gh_multipart_begin(&parser, type, body, (size_t)longest))
        Py_RETURN_NONE;
    self = (form){PyList_New(0), PyList_New(0), most_parts, most_heads, most_texts};
    int result = self.fields == NULL || self.files == NULL ? -1 : 1;
    gh_part_step step = GH_PART;
    while (result == 1 && (step = gh_multipart_next(&parser, &part)) == GH_PART)
        result = add(&self, &part);
    if (result == 1 && step == GH_PART_NONE)
        return Py_BuildValue("NN", self.fields, self.files);
    Py_XDECREF(self.fields);
    Py_XDECREF(self.files);
    return result < 0 ? NULL : Py_NewRef(Py_None);
}

static PyMethodDef functions[] = {
    {"_parse_form", parse_form, METH_VARARGS,
     "_parse_form($module, content_type, body, parts, heads, texts, longest_line, /)\n--\n\n"
     "The fields and files of a form as the usual clients write it; None for all others, and for\n"
     "those with more parts, or more bytes of heads, fields or one line, than given."},
    {NULL},
};

int
gh_form_register(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
