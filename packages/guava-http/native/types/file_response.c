/* file_response.c: FileResponse, a response whose body is a file, and which answers conditional
 * requests and requests for ranges of it. It is made before the server looks at what the client
 * knows already: the file is opened and looked at once, here, so that a handler is told when it is
 * not there; what goes out of it is decided in file_answer.c. */
#include "types/file_response.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "module.h"

enum {
    FILE_,
    CONTENT_TYPE,
    FILENAME,
    INLINE,
    ETAG,
    LAST_MODIFIED,
    CACHE_CONTROL,
    PRECOMPRESSED,
    HEADERS,
    PARAMS
};

static const char *const names[PARAMS] = {"file",          "content_type",  "filename",
                                          "inline",        "etag",          "last_modified",
                                          "cache_control", "precompressed", "headers"};
static const gh_signature signature = {"FileResponse", names, PARAMS, 1, 1};

/* ---- the file ------------------------------------------------------------------------------ */

int
gh_file_open(const char *path, struct stat *info)
{
    /* O_NONBLOCK: a FIFO must not hang the server; on a regular file it means nothing. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -1;
    int error = fstat(fd, info) < 0 ? errno : S_ISREG(info->st_mode) ? 0 : ENOENT;
    if (error == 0)
        return fd;
    (void)close(fd); /* opened for reading: nothing can be lost */
    errno = error;
    return -1;
}

void
gh_file_note(const gh_file_response *self, const struct stat *info, gh_file_facts *facts)
{
    if (self->own_etag) {
        uint64_t ns =
            (uint64_t)info->st_mtim.tv_sec * 1000000000 + (uint64_t)info->st_mtim.tv_nsec;
        facts->etag.base = facts->text;
        facts->etag.len =
            gh_etag_render((uint64_t)info->st_ino, (uint64_t)info->st_size, ns, facts->text);
    }
    if (self->own_date) {
        facts->has_date = true;
        facts->modified = (int64_t)info->st_mtim.tv_sec;
    }
}

/* A path that leads to no regular file is nothing to be found, whichever way it fails. */
static void
raise_open(gh_types *types, PyObject *path)
{
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case ENAMETOOLONG:
    case ELOOP:
    case ENXIO: /* a socket */
        errno = ENOENT;
        PyErr_SetFromErrnoWithFilenameObject(types->file_missing, path);
        break;
    default:
        PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path);
    }
}

static int
open_path(gh_file_response *self, PyObject *path, struct stat *info)
{
    gh_types *types = self->response.types;
    if (!PyUnicode_FSConverter(path, &self->path))
        return -1;
    int fd;
    Py_BEGIN_ALLOW_THREADS;
    fd = gh_file_open(PyBytes_AS_STRING(self->path), info);
    Py_END_ALLOW_THREADS;
    if (fd < 0) {
        raise_open(types, path);
        return -1;
    }
    self->file = gh_file_body_own(types, fd, (int64_t)info->st_size);
    return self->file == NULL ? -1 : 0;
}

/* A FileBody, or what makes one: an open file or a descriptor. */
static int
take_open(gh_file_response *self, PyObject *file, struct stat *info)
{
    int fd;
    int64_t offset, length;
    gh_types *types = self->response.types;
    self->file = PyObject_TypeCheck(file, types->file_body)
                     ? Py_NewRef(file)
                     : PyObject_CallOneArg((PyObject *)types->file_body, file);
    if (self->file == NULL || gh_file_body_get(self->file, &fd, &offset, &length) < 0)
        return -1;
    if ((self->own_etag || self->own_date) && fstat(fd, info) < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    if (offset != 0 || length != (int64_t)info->st_size)
        self->own_etag = false; /* the tag would be that of the whole */
    return 0;
}

static int
take_file(gh_file_response *self, PyObject *file)
{
    struct stat info = {.st_size = 0};
    int is_path = PyUnicode_Check(file) || PyBytes_Check(file) ? 1 : gh_has(file, "__fspath__");
    if (is_path < 0 || (is_path ? open_path(self, file, &info) : take_open(self, file, &info)) < 0)
        return -1;
    gh_file_note(self, &info, &self->facts);
    self->modified = info.st_mtim;
    Py_XSETREF(self->response.body, Py_NewRef(self->file));
    self->response.kind = GH_BODY_FILE;
    return 0;
}

/* ---- the other arguments ------------------------------------------------------------------- */

/* Of guava_http.files, which is Python. */
static PyObject *
files_attribute(gh_types *types, const char *name)
{
    if (types->files == NULL)
        types->files = PyImport_ImportModule("guava_http.files");
    return types->files == NULL ? NULL : PyObject_GetAttrString(types->files, name);
}

/* The type that the extension of a name stands for; a name is a str or bytes. */
static int
guess_type(gh_file_response *self, PyObject *name)
{
    char extension[16];
    Py_ssize_t n;
    const char *text = PyBytes_Check(name) ? PyBytes_AS_STRING(name) : PyUnicode_AsUTF8(name);
    if (text == NULL)
        return -1;
    const char *dot = strrchr(text, '.');
    n = dot == NULL ? 0 : (Py_ssize_t)strlen(dot);
    if (n < 2 || n > (Py_ssize_t)sizeof(extension))
        return 0;
    for (Py_ssize_t i = 0; i < n; i++)
        extension[i] = dot[i] >= 'A' && dot[i] <= 'Z' ? (char)(dot[i] | 0x20) : dot[i];
    PyObject *types = files_attribute(self->response.types, "CONTENT_TYPES");
    PyObject *key = types == NULL ? NULL : gh_latin1(extension, (size_t)n);
    PyObject *type = key == NULL ? NULL : PyObject_GetItem(types, key);
    if (type == NULL && PyErr_ExceptionMatches(PyExc_KeyError))
        PyErr_Clear();
    int result = PyErr_Occurred() ? -1
                 : type == NULL   ? 0
                                  : gh_response_set_type(&self->response, type);
    Py_XDECREF(type);
    Py_XDECREF(key);
    Py_XDECREF(types);
    return result;
}

static bool
is_given(PyObject *value)
{
    return value != NULL && value != Py_None;
}

static int
set_type(gh_file_response *self, PyObject *const *values)
{
    if (is_given(values[CONTENT_TYPE]))
        return gh_response_set_type(&self->response, values[CONTENT_TYPE]);
    if (self->response.headers != NULL &&
        gh_fields_find(gh_headers_fields(self->response.headers), "content-type", 12) != NULL)
        return 0;
    if (is_given(values[FILENAME]) && PyUnicode_Check(values[FILENAME]))
        return guess_type(self, values[FILENAME]);
    return self->path == NULL ? 0 : guess_type(self, self->path);
}

static int
set_field(gh_file_response *self, const char *name, PyObject *value)
{
    gh_text text;
    PyObject *headers = gh_response_headers(&self->response);
    if (headers == NULL || gh_field_value(value, &text) < 0)
        return -1;
    return gh_field_text_set(gh_headers_lines(headers), (gh_text){name, strlen(name)}, text);
}

static int
set_disposition(gh_file_response *self, PyObject *filename, PyObject *is_inline)
{
    PyObject *function = files_attribute(self->response.types, "content_disposition");
    PyObject *value =
        function == NULL ? NULL
                         : PyObject_CallFunctionObjArgs(
                               function, filename, is_inline == NULL ? Py_False : is_inline, NULL);
    int result = value == NULL ? -1 : set_field(self, "Content-Disposition", value);
    Py_XDECREF(value);
    Py_XDECREF(function);
    return result;
}

/* True, False, None or an entity tag. */
static int
set_etag(gh_file_response *self, PyObject *value)
{
    gh_text text;
    self->own_etag = value == NULL || value == Py_True;
    if (self->own_etag || value == Py_False || value == Py_None)
        return 0;
    if (gh_latin1_text(value, "an entity tag", &text) < 0)
        return -1;
    if (!gh_is_etag(text)) {
        PyErr_Format(PyExc_ValueError,
                     "an entity tag is such as '\"abc\"' or 'W/\"abc\"', found %R", value);
        return -1;
    }
    self->etag = Py_NewRef(value);
    self->facts.etag = text;
    return 0;
}

/* True, False, None or a time. */
static int
set_date(gh_file_response *self, PyObject *value)
{
    self->own_date = value == NULL || value == Py_True;
    if (self->own_date || value == Py_False || value == Py_None)
        return 0;
    self->facts.has_date = true;
    return gh_seconds(value, &self->facts.modified);
}

static int
set_codings(gh_file_response *self, PyObject *value)
{
    if (!is_given(value) || value == Py_False)
        return 0;
    PyObject *function = files_attribute(self->response.types, "_codings");
    self->codings = function == NULL ? NULL : PyObject_CallOneArg(function, value);
    Py_XDECREF(function);
    if (self->codings != NULL && !PyTuple_CheckExact(self->codings)) {
        PyErr_SetString(PyExc_TypeError, "guava_http.files._codings() gives a tuple");
        return -1;
    }
    return self->codings == NULL ? -1 : 0;
}

static int
set_all(gh_file_response *self, PyObject *const *values)
{
    int is_inline = values[INLINE] == NULL ? 0 : PyObject_IsTrue(values[INLINE]);
    if (is_inline < 0 || set_etag(self, values[ETAG]) < 0 ||
        set_date(self, values[LAST_MODIFIED]) < 0 || take_file(self, values[FILE_]) < 0 ||
        set_codings(self, values[PRECOMPRESSED]) < 0 ||
        (is_given(values[HEADERS]) &&
         gh_response_set_headers(&self->response, values[HEADERS]) < 0) ||
        set_type(self, values) < 0)
        return -1;
    if (is_given(values[FILENAME]) &&
        set_disposition(self, values[FILENAME], is_inline ? Py_True : Py_False) < 0)
        return -1;
    return is_given(values[CACHE_CONTROL])
               ? set_field(self, "Cache-Control", values[CACHE_CONTROL])
               : 0;
}

/* ---- new, dealloc -------------------------------------------------------------------------- */

static PyObject *
make(PyTypeObject *type, PyObject *const *values)
{
    PyObject *self = gh_response_alloc(type, gh_types_of_type(type));
    if (self != NULL && set_all((gh_file_response *)self, values) < 0)
        Py_CLEAR(self);
    return self;
}

static PyObject *
file_response_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *values[PARAMS];
    return gh_bind_tuple(&signature, args, kwargs, values) < 0 ? NULL : make(type, values);
}

/* All has been done by new: a second __init__() must not change the file under an answer. */
static int
file_response_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    return 0;
}

/* FileResponse(...) itself, not of a derived class: no tuple and no dict for the arguments. */
static PyObject *
file_response_vectorcall(PyObject *type, PyObject *const *args, size_t n_args, PyObject *kwnames)
{
    PyObject *values[PARAMS];
    if (gh_bind(&signature, args, PyVectorcall_NARGS(n_args), kwnames, values) < 0)
        return NULL;
    return make((PyTypeObject *)type, values);
}

static void
file_response_dealloc(PyObject *op)
{
    gh_file_response *self = (gh_file_response *)op;
    PyObject_GC_UnTrack(op);
    Py_CLEAR(self->file);
    Py_CLEAR(self->path);
    Py_CLEAR(self->etag);
    Py_CLEAR(self->codings);
    gh_response_dealloc(op);
}

/* ---- getset -------------------------------------------------------------------------------- */

static PyObject *
file_response_get_etag(PyObject *op, void *Py_UNUSED(closure))
{
    gh_text etag = ((gh_file_response *)op)->facts.etag;
    return etag.base == NULL ? Py_NewRef(Py_None) : gh_latin1(etag.base, etag.len);
}

static PyObject *
file_response_get_last_modified(PyObject *op, void *Py_UNUSED(closure))
{
    gh_file_response *self = (gh_file_response *)op;
    return self->facts.has_date ? PyLong_FromLongLong(self->facts.modified) : Py_NewRef(Py_None);
}

static PyGetSetDef file_response_getset[] = {
    {"etag", file_response_get_etag, NULL,
     "str or None: the entity tag of the file, with its quotes; a variant has another"},
    {"last_modified", file_response_get_last_modified, NULL,
     "int or None: when the file was changed, in seconds since 1970"},
    {NULL},
};

PyDoc_STRVAR(
    file_response_doc,
    "FileResponse(file, *, content_type=None, filename=None, inline=False, etag=True,\n"
    "             last_modified=True, cache_control=None, precompressed=None,\n"
    "             headers=None)\n--\n\n"
    "A file that is sent as the request asks: whole, in ranges, or not at all if the client\n"
    "has it (RFC 9110, 13 and 14).\n\n"
    "file: a path, an open file, a file descriptor (both are duplicated) or a FileBody, whose\n"
    "range then is the whole. It is opened now. content_type: str; without it what the\n"
    "extension of filename or of the path stands for (guava_http.CONTENT_TYPES), else\n"
    "application/octet-stream. filename: str, the name to save it under, as\n"
    "Content-Disposition: attachment, or with inline=True, inline. etag: True for a strong\n"
    "one made of inode, size and time of change, a str for your own, with its quotes, False\n"
    "for none. last_modified: True for the file's, an int, float or datetime for your own,\n"
    "False for none. cache_control: str. precompressed: True, or a sequence out of \"br\",\n"
    "\"zst\" and \"gz\": if the client takes it, the file beside it with that further extension\n"
    "is sent instead, provided that it is not older. headers: as Response's.\n"
    "FileMissing: the path leads to no regular file; a server answers 404. OSError: the file\n"
    "cannot be opened. ValueError: not a regular file, not an entity tag, or a text with\n"
    "control characters.");

static PyType_Slot file_response_slots[] = {
    {Py_tp_doc, (void *)file_response_doc}, {Py_tp_new, file_response_new},
    {Py_tp_init, file_response_init},       {Py_tp_dealloc, file_response_dealloc},
    {Py_tp_getset, file_response_getset},   {0, NULL},
};

static PyType_Spec file_response_spec = {
    .name = "guava_http.FileResponse",
    .basicsize = sizeof(gh_file_response),
    /* Traversed and cleared as a Response: what is added is in no cycle. */
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = file_response_slots,
};

static int
add_file_missing(PyObject *module, gh_types *types)
{
    PyObject *dict = Py_BuildValue("{s:i}", "status", 404);
    PyObject *bases = PyTuple_Pack(2, PyExc_FileNotFoundError, types->request_error);
    if (dict != NULL && bases != NULL)
        types->file_missing = PyErr_NewExceptionWithDoc(
            "guava_http.FileMissing",
            "A FileResponse's path leads to no regular file: a FileNotFoundError, and a\n"
            "RequestError of status 404.",
            bases, dict);
    Py_XDECREF(dict);
    Py_XDECREF(bases);
    return types->file_missing == NULL
               ? -1
               : PyModule_AddObjectRef(module, "FileMissing", types->file_missing);
}

int
gh_file_response_register(PyObject *module, gh_types *types)
{
    if (add_file_missing(module, types) < 0)
        return -1;
    types->file_response = gh_add_type(module, &file_response_spec, types->response);
    if (types->file_response == NULL)
        return -1;
    types->file_response->tp_vectorcall = file_response_vectorcall;
    return 0;
}
