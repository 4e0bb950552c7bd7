/* tls_engine.c: calls into the standard library's OpenSSL objects: the MemoryBIO through which
 * records come, the one through which they go, and _ssl._SSLSocket between them. Separate, because
 * it is the only place that knows what ssl.SSLObject is made of.
 *
 * Bytes are handed over in a window, an object that shows any memory through the buffer protocol:
 * so OpenSSL decrypts straight into a bytes object of the right size or into the protocol's own
 * buffer, and encrypts from where the bytes are. _ssl lets go of a buffer before it returns. */
#include "tls.h"

#include <string.h>

#define MOST_RECORD ((size_t)16384 + 2048) /* RFC 5246, 6.2.3; RFC 8446 allows less */

/* ---- the window ----------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD char *base;
    Py_ssize_t size;
    bool readonly;
} gl_window;

static int
window_getbuffer(gl_window *self, Py_buffer *view, int flags)
{
    return PyBuffer_FillInfo(view, (PyObject *)self, self->base, self->size, self->readonly,
                             flags);
}

static void
window_dealloc(gl_window *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyType_Slot window_slots[] = {
    {Py_tp_dealloc, window_dealloc},
    {Py_bf_getbuffer, window_getbuffer},
    {0, NULL},
};

static PyType_Spec window_spec = {
    .name = "guava_loop._core._Window",
    .basicsize = sizeof(gl_window),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = window_slots,
};

/* The one window of the module, put over these bytes (borrowed). No Python code runs between this
 * and the call that looks through it. */
static PyObject *
look_at(gl_tls_imports *imports, const char *base, size_t size, bool readonly)
{
    gl_window *window = (gl_window *)imports->window;
    window->base = (char *)base;
    window->size = (Py_ssize_t)size;
    window->readonly = readonly;
    return imports->window;
}

/* ---- imports -------------------------------------------------------------------------------- */

#define OWNED(X)                                                                                  \
    X(memory_bio)                                                                                 \
    X(ssl_object)                                                                                 \
    X(engine_type)                                                                                \
    X(read)                                                                                       \
    X(write)                                                                                      \
    X(pending)                                                                                    \
    X(bio_read)                                                                                   \
    X(bio_write)                                                                                  \
    X(ssl_error)                                                                                  \
    X(want_read)                                                                                  \
    X(zero_return)                                                                                \
    X(syscall_error)                                                                              \
    X(certificate_error)                                                                          \
    X(cancelled_error)                                                                            \
    X(window)                                                                                     \
    X(window_type)                                                                                \
    X(str_do_handshake)                                                                           \
    X(str_unwrap)                                                                                 \
    X(str_wrap_bio)                                                                               \
    X(str_sslobj)                                                                                 \
    X(wrap_keywords)                                                                              \
    X(str_pending)

int
gl_tls_imports_traverse(gl_tls_imports *i, visitproc visit, void *arg)
{
    if (i != NULL) {
#define VISIT(field) Py_VISIT(i->field);
        OWNED(VISIT)
#undef VISIT
    }
    return 0;
}

void
gl_tls_imports_clear(gl_tls_imports *i)
{
    if (i != NULL) {
#define CLEAR(field) Py_CLEAR(i->field);
        OWNED(CLEAR)
#undef CLEAR
    }
}

static void
free_imports(gl_tls_imports *i)
{
    gl_tls_imports_clear(i);
    PyMem_Free(i);
}

static int
get(PyObject **slot, PyObject *of, const char *name)
{
    *slot = of != NULL ? PyObject_GetAttrString(of, name) : NULL;
    return *slot != NULL ? 0 : -1;
}

static int
import_ssl(gl_tls_imports *i)
{
    PyObject *ssl = PyImport_ImportModule("ssl"), *_ssl = NULL, *exceptions = NULL;
    int status = -1;
    if (ssl != NULL) {
        _ssl = PyImport_ImportModule("_ssl");
        exceptions = PyImport_ImportModule("asyncio.exceptions");
    }
    if (_ssl == NULL || exceptions == NULL || get(&i->memory_bio, ssl, "MemoryBIO") < 0 ||
        get(&i->ssl_object, ssl, "SSLObject") < 0 || get(&i->ssl_error, ssl, "SSLError") < 0 ||
        get(&i->want_read, ssl, "SSLWantReadError") < 0 ||
        get(&i->zero_return, ssl, "SSLZeroReturnError") < 0 ||
        get(&i->syscall_error, ssl, "SSLSyscallError") < 0 ||
        get(&i->certificate_error, ssl, "CertificateError") < 0 ||
        get(&i->cancelled_error, exceptions, "CancelledError") < 0 ||
        get(&i->engine_type, _ssl, "_SSLSocket") < 0 ||
        get(&i->read, i->engine_type, "read") < 0 || get(&i->write, i->engine_type, "write") < 0 ||
        get(&i->pending, i->engine_type, "pending") < 0 ||
        get(&i->bio_read, i->memory_bio, "read") < 0 ||
        get(&i->bio_write, i->memory_bio, "write") < 0) {
        goto done;
    }
    status = 0;
done:
    Py_XDECREF(exceptions);
    Py_XDECREF(_ssl);
    Py_XDECREF(ssl);
    return status;
}

static int
intern(PyObject **slot, const char *text)
{
    *slot = PyUnicode_InternFromString(text);
    return *slot != NULL ? 0 : -1;
}

static int
name_keywords(PyObject **slot)
{
    PyObject *side = PyUnicode_InternFromString("server_side");
    PyObject *name = PyUnicode_InternFromString("server_hostname");
    *slot = side != NULL && name != NULL ? PyTuple_Pack(2, side, name) : NULL;
    Py_XDECREF(side);
    Py_XDECREF(name);
    return *slot != NULL ? 0 : -1;
}

int
gl_tls_import(gl_state *state)
{
    gl_face_state *face = state->face;
    if (face->tls != NULL) {
        return 0;
    }
    gl_tls_imports *i = PyMem_Calloc(1, sizeof(*i));
    if (i == NULL) {
        (void)PyErr_NoMemory();
        return -1;
    }
    i->window_type = PyType_FromModuleAndSpec(NULL, &window_spec, NULL);
    if (i->window_type != NULL) {
        i->window = (PyObject *)PyObject_New(gl_window, (PyTypeObject *)i->window_type);
    }
    if (i->window == NULL || import_ssl(i) < 0 ||
        intern(&i->str_do_handshake, "do_handshake") < 0 || intern(&i->str_unwrap, "unwrap") < 0 ||
        intern(&i->str_pending, "pending") < 0 || intern(&i->str_wrap_bio, "wrap_bio") < 0 ||
        intern(&i->str_sslobj, "_sslobj") < 0 || name_keywords(&i->wrap_keywords) < 0) {
        free_imports(i);
        return -1;
    }
    /* An import may have run Python that came here first. */
    if (face->tls != NULL) {
        free_imports(i);
    } else {
        face->tls = i;
    }
    return 0;
}

/* ---- where records begin and end ------------------------------------------------------------ */

static void
follow_records(gl_tls_records *r, const char *bytes, size_t n)
{
    while (n > 0 && !r->lost) {
        size_t taken;
        if (r->missing > 0) {
            taken = r->missing < n ? r->missing : n;
            r->missing -= taken;
            r->begun = r->missing > 0 ? r->begun + taken : 0;
        } else {
            taken = sizeof(r->header) - r->begun;
            taken = taken < n ? taken : n;
            memcpy(r->header + r->begun, bytes, taken);
            r->begun += taken;
            if (r->begun == sizeof(r->header)) {
                r->missing = (size_t)r->header[3] << 8 | r->header[4];
                /* The types of content are 20 to 24, the version begins with 3. */
                r->lost = r->header[0] < 20 || r->header[0] > 24 || r->header[1] != 3 ||
                          r->missing == 0 || r->missing > MOST_RECORD;
            }
        }
        bytes += taken;
        n -= taken;
    }
}

/* ---- birth ---------------------------------------------------------------------------------- */

/* Whether the class leaves a method of SSLObject as it is. */
static int
inherits(gl_tls_imports *imports, PyObject *object, const char *name)
{
    PyObject *own = NULL, *original = NULL;
    int same = -1;
    if (get(&own, (PyObject *)Py_TYPE(object), name) == 0 &&
        get(&original, imports->ssl_object, name) == 0) {
        same = own == original;
    }
    Py_XDECREF(own);
    Py_XDECREF(original);
    return same;
}

/* As ssl.SSLObject does it, or in a way that only its own methods know. */
static int
is_plain(gl_tls_imports *imports, PyObject *object)
{
    static const char *const ours[] = {"read", "write", "pending", NULL};
    if (Py_IS_TYPE(object, (PyTypeObject *)imports->ssl_object)) {
        return 1;
    }
    int result = PyObject_IsInstance(object, imports->ssl_object);
    for (int i = 0; result == 1 && ours[i] != NULL; i++) {
        result = inherits(imports, object, ours[i]);
    }
    return result;
}

int
gl_tls_wrap(gl_tls *tls, PyObject *sslcontext, PyObject *server_hostname)
{
    gl_tls_imports *imports = tls->ssl;
    tls->incoming = PyObject_CallNoArgs(imports->memory_bio);
    tls->outgoing = tls->incoming != NULL ? PyObject_CallNoArgs(imports->memory_bio) : NULL;
    if (tls->outgoing == NULL) {
        return -1;
    }
    PyObject *stack[5] = {sslcontext, tls->incoming, tls->outgoing,
                          tls->server_side ? Py_True : Py_False, server_hostname};
    tls->sslobject =
        PyObject_VectorcallMethod(imports->str_wrap_bio, stack, 3, imports->wrap_keywords);
    if (tls->sslobject == NULL) {
        return -1;
    }
    int result = is_plain(imports, tls->sslobject);
    if (result != 1) {
        return result;
    }
    tls->engine = PyObject_GetAttr(tls->sslobject, imports->str_sslobj);
    return tls->engine != NULL ? Py_IS_TYPE(tls->engine, (PyTypeObject *)imports->engine_type)
                               : -1;
}

/* ---- bytes in and out ----------------------------------------------------------------------- */

/* object.method(arg), where the method is that of a type; `arg` may be NULL. */
static PyObject *
call(PyObject *method, PyObject *object, PyObject *arg)
{
    PyObject *stack[3] = {NULL, object, arg};
    size_t n = (arg != NULL ? 2 : 1) | PY_VECTORCALL_ARGUMENTS_OFFSET;
    return PyObject_Vectorcall(method, stack + 1, n, NULL);
}

int
gl_tls_feed(gl_tls *tls, const char *bytes, size_t n)
{
    gl_tls_imports *imports = tls->ssl;
    follow_records(&tls->records, bytes, n);
    PyObject *result = call(imports->bio_write, tls->incoming, look_at(imports, bytes, n, true));
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}

static Py_ssize_t
as_size(PyObject *number)
{
    Py_ssize_t size = number != NULL ? PyLong_AsSsize_t(number) : -1;
    Py_XDECREF(number);
    return size;
}

Py_ssize_t
gl_tls_pending(gl_tls *tls)
{
    return as_size(PyObject_GetAttr(tls->incoming, tls->ssl->str_pending));
}

int
gl_tls_readable(gl_tls *tls, size_t *most)
{
    Py_ssize_t pending = gl_tls_pending(tls), rest = 0;
    if (pending >= 0 && tls->filled) {
        rest = as_size(call(tls->ssl->pending, tls->engine, NULL));
    }
    if (pending < 0 || rest < 0) {
        return -1;
    }
    size_t begun = tls->records.begun, whole = (size_t)pending;
    if (!tls->records.lost) {
        whole = whole > begun ? whole - begun : 0;
    }
    *most = whole + (size_t)rest;
    return *most > 0;
}

/* What the exception that is set means; clears it if it is no failure. */
static gl_tls_result
again_or_failed(gl_tls_imports *imports)
{
    if (PyErr_ExceptionMatches(imports->want_read) ||
        PyErr_ExceptionMatches(imports->syscall_error)) {
        PyErr_Clear();
        return GL_TLS_AGAIN;
    }
    return GL_TLS_FAILED;
}

gl_tls_result
gl_tls_read(gl_tls *tls, char *to, size_t size, size_t *n)
{
    gl_tls_imports *imports = tls->ssl;
    *n = 0;
    PyObject *number = PyLong_FromSize_t(size);
    if (number == NULL) {
        return GL_TLS_FAILED;
    }
    PyObject *stack[4] = {NULL, tls->engine, number, look_at(imports, to, size, false)};
    PyObject *result =
        PyObject_Vectorcall(imports->read, stack + 1, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    Py_DECREF(number);
    tls->filled = false;
    if (result == NULL) {
        return again_or_failed(imports);
    }
    Py_ssize_t got = as_size(result);
    if (got < 0) {
        return GL_TLS_FAILED;
    }
    *n = (size_t)got;
    tls->filled = *n == size;
    return GL_TLS_DONE;
}

gl_tls_result
gl_tls_write(gl_tls *tls, const char *from, size_t size, size_t *n)
{
    gl_tls_imports *imports = tls->ssl;
    *n = 0;
    PyObject *result = call(imports->write, tls->engine, look_at(imports, from, size, true));
    tls->unsent = true;
    if (result == NULL) {
        return again_or_failed(imports);
    }
    Py_ssize_t taken = as_size(result);
    if (taken < 0) {
        return GL_TLS_FAILED;
    }
    *n = (size_t)taken;
    return GL_TLS_DONE;
}

gl_tls_result
gl_tls_call(gl_tls *tls, PyObject *name)
{
    PyObject *result = PyObject_CallMethodNoArgs(tls->sslobject, name);
    tls->unsent = true;
    if (result == NULL) {
        return again_or_failed(tls->ssl);
    }
    Py_DECREF(result);
    return GL_TLS_DONE;
}

PyObject *
gl_tls_take(gl_tls *tls)
{
    PyObject *bytes = call(tls->ssl->bio_read, tls->outgoing, NULL);
    tls->unsent = false;
    if (bytes != NULL && PyBytes_GET_SIZE(bytes) == 0) {
        Py_CLEAR(bytes);
    }
    return bytes;
}
