/* face.c: what the faces share: their types and names, calls into protocols, errors as asyncio
 * words them, flow control, and the table of descriptors that transports own. */
#include "face.h"

#include "handle.h"
#include "sockop.h"

/* ---- of the module -------------------------------------------------------------------------- */

static int
import_from(PyObject **slot, const char *module, const char *name)
{
    PyObject *imported = PyImport_ImportModule(module);
    *slot = imported != NULL ? PyObject_GetAttrString(imported, name) : NULL;
    Py_XDECREF(imported);
    return *slot != NULL ? 0 : -1;
}

/* Server._attach(self, transport) since 3.13, _attach(self) before. */
static int
find_attach(gl_face_state *face)
{
    PyObject *attach = PyObject_GetAttr(face->of.server, face->name._attach);
    PyObject *code = attach != NULL ? PyObject_GetAttrString(attach, "__code__") : NULL;
    PyObject *count = code != NULL ? PyObject_GetAttrString(code, "co_argcount") : NULL;
    long n = count != NULL ? PyLong_AsLong(count) : -1;
    Py_XDECREF(count);
    Py_XDECREF(code);
    Py_XDECREF(attach);
    face->attach_transport = n == 2;
    return n < 0 ? -1 : 0;
}

int
gl_face_exec(PyObject *module, gl_state *state)
{
    gl_face_state *face = PyMem_Calloc(1, sizeof(*face));
    state->face = face;
    if (face == NULL) {
        (void)PyErr_NoMemory();
        return -1;
    }
#define INTERN(field)                                                                             \
    face->name.field = PyUnicode_InternFromString(#field);                                        \
    if (face->name.field == NULL) {                                                               \
        return -1;                                                                                \
    }
    GL_FACE_NAMES(INTERN)
#undef INTERN
#define IMPORT(field, module, name)                                                               \
    if (import_from(&face->of.field, module, name) < 0) {                                         \
        return -1;                                                                                \
    }
    GL_FACE_IMPORTS(IMPORT)
#undef IMPORT
    /* A face adds itself here. */
    static int (*const faces[])(PyObject *, gl_state *) = {
        gl_transport_exec, gl_accept_exec,     gl_datagram_exec, gl_tls_exec,
        gl_read_pipe_exec, gl_write_pipe_exec, gl_sockop_exec,
    };
    for (size_t i = 0; i < sizeof(faces) / sizeof(*faces); i++) {
        if (faces[i](module, state) < 0) {
            return -1;
        }
    }
    return find_attach(face);
}

int
gl_face_state_traverse(gl_state *state, visitproc visit, void *arg)
{
    gl_face_state *face = state->face;
    if (face == NULL) {
        return 0;
    }
#define VISIT_TYPE(field) Py_VISIT(face->type.field);
    GL_FACE_TYPES(VISIT_TYPE)
#undef VISIT_TYPE
#define VISIT_IMPORT(field, ...) Py_VISIT(face->of.field);
    GL_FACE_IMPORTS(VISIT_IMPORT)
#undef VISIT_IMPORT
    Py_VISIT(face->stream_class);
    return gl_tls_imports_traverse(face->tls, visit, arg);
}

void
gl_face_state_clear(gl_state *state)
{
    gl_face_state *face = state->face;
    if (face == NULL) {
        return;
    }
#define CLEAR_TYPE(field) Py_CLEAR(face->type.field);
    GL_FACE_TYPES(CLEAR_TYPE)
#undef CLEAR_TYPE
#define CLEAR_NAME(field) Py_CLEAR(face->name.field);
    GL_FACE_NAMES(CLEAR_NAME)
#undef CLEAR_NAME
#define CLEAR_IMPORT(field, ...) Py_CLEAR(face->of.field);
    GL_FACE_IMPORTS(CLEAR_IMPORT)
#undef CLEAR_IMPORT
    Py_CLEAR(face->stream_class);
    gl_tls_imports_clear(face->tls);
}

void
gl_face_state_free(gl_state *state)
{
    if (state->face != NULL) {
        PyMem_Free(state->face->tls);
    }
    PyMem_Free(state->face);
    state->face = NULL;
}

PyObject *
gl_face_type(PyObject *module, gl_face_state *face, PyType_Spec *spec, PyObject *base)
{
    typedef struct {
        GL_FACE_HEAD;
    } head;
    typedef struct {
        GL_FLOW_HEAD;
    } flow_head;
    PyTypeObject *of = (PyTypeObject *)base;
    size_t size = base == face->of.flow_control ? sizeof(flow_head) : sizeof(head);
    if ((size_t)of->tp_basicsize != size || of->tp_dictoffset != 0 || of->tp_weaklistoffset != 0) {
        PyErr_Format(PyExc_ImportError,
                     "%s of this Python has other fields than guava-loop knows: install a "
                     "guava-loop that was made for it",
                     of->tp_name);
        return NULL;
    }
    PyObject *type = PyType_FromModuleAndSpec(module, spec, base);
    if (type != NULL && PyModule_AddType(module, (PyTypeObject *)type) < 0) {
        Py_CLEAR(type);
    }
    return type;
}

/* ---- calls ---------------------------------------------------------------------------------- */

PyObject *
gl_face_call(PyObject *context, PyObject *object, PyObject *name, PyObject *arg)
{
    /* The first place is the callee's to use. */
    PyObject *stack[3] = {NULL, object, arg};
    size_t n = (arg != NULL ? 2 : 1) | PY_VECTORCALL_ARGUMENTS_OFFSET;
    if (context == NULL) {
        return PyObject_VectorcallMethod(name, stack + 1, n, NULL);
    }
    if (PyContext_Enter(context) < 0) {
        return NULL;
    }
    PyObject *result = PyObject_VectorcallMethod(name, stack + 1, n, NULL);
    if (PyContext_Exit(context) < 0) {
        Py_CLEAR(result);
    }
    return result;
}

int
gl_face_call_soon(gl_loop *loop, PyObject *callback, PyObject *arg, PyObject *context)
{
    gl_handle *handle =
        gl_handle_new(loop, callback, arg != NULL ? &arg : NULL, arg != NULL ? 1 : 0, context);
    if (handle == NULL) {
        return -1;
    }
    int result = gl_ready_push(loop, (PyObject *)handle);
    Py_DECREF(handle);
    return result;
}

int
gl_face_check_thread(gl_loop *loop)
{
    if (!loop->debug) {
        return 0;
    }
    PyObject *result = PyObject_CallMethod((PyObject *)loop, "_check_thread", NULL);
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}

void
gl_face_resolve(gl_loop *loop, PyObject *future, PyObject *result)
{
    gl_face_state *face = loop->state->face;
    PyObject *exc = result == NULL ? gl_err_take() : NULL;
    PyObject *done = PyObject_CallMethodNoArgs(future, face->name.done);
    int is_done = done != NULL ? PyObject_IsTrue(done) : -1;
    Py_XDECREF(done);
    PyObject *set = NULL;
    if (is_done == 0) {
        set = result != NULL ? PyObject_CallMethodOneArg(future, face->name.set_result, result)
                             : PyObject_CallMethodOneArg(future, face->name.set_exception, exc);
    }
    if (is_done < 0 || (is_done == 0 && set == NULL)) {
        gl_loop_error(loop, "A future could not be resolved", future);
    }
    Py_XDECREF(set);
    Py_XDECREF(exc);
}

/* ---- errors --------------------------------------------------------------------------------- */

/* Whether the exception that is set ends the run; then it is on its way. */
static bool
stops_the_loop(gl_loop *loop)
{
    if (!PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) &&
        !PyErr_ExceptionMatches(PyExc_SystemExit)) {
        return false;
    }
    gl_loop_error(loop, "", NULL);
    return true;
}

static void
report(gl_loop *loop, const char *message, PyObject *exc, PyObject *transport, PyObject *protocol)
{
    gl_face_state *face = loop->state->face;
    PyObject *result = NULL, *context = PyDict_New();
    PyObject *text = PyUnicode_FromString(message);
    if (context != NULL && text != NULL &&
        PyDict_SetItem(context, face->name.message, text) == 0 &&
        PyDict_SetItem(context, face->name.exception, exc) == 0 &&
        PyDict_SetItem(context, face->name.transport, transport) == 0 &&
        PyDict_SetItem(context, face->name.protocol, protocol ? protocol : Py_None) == 0) {
        result = PyObject_CallMethodOneArg((PyObject *)loop, face->name.call_exception_handler,
                                           context);
    }
    if (result == NULL && !stops_the_loop(loop)) {
        PyErr_WriteUnraisable((PyObject *)loop);
    }
    Py_XDECREF(result);
    Py_XDECREF(text);
    Py_XDECREF(context);
}

void
gl_face_error(gl_loop *loop, const char *message, PyObject *transport, PyObject *protocol)
{
    if (stops_the_loop(loop)) {
        return;
    }
    PyObject *exc = gl_err_take();
    report(loop, message, exc, transport, protocol);
    Py_DECREF(exc);
}

/* logger.debug("%r: %s", transport, message, exc_info=exc). */
static int
log_exception(gl_loop *loop, const char *message, PyObject *exc, PyObject *transport)
{
    gl_face_state *face = loop->state->face;
    PyObject *result = NULL, *method = PyObject_GetAttr(face->of.logger, face->name.debug);
    PyObject *args = method != NULL ? Py_BuildValue("(sOs)", "%r: %s", transport, message) : NULL;
    PyObject *kwargs = args != NULL ? Py_BuildValue("{sO}", "exc_info", exc) : NULL;
    if (kwargs != NULL) {
        result = PyObject_Call(method, args, kwargs);
    }
    Py_XDECREF(kwargs);
    Py_XDECREF(args);
    Py_XDECREF(method);
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}

PyObject *
gl_face_fatal(gl_loop *loop, const char *message, PyObject *transport, PyObject *protocol)
{
    if (stops_the_loop(loop)) {
        return Py_NewRef(Py_None);
    }
    PyObject *exc = gl_err_take();
    if (!PyObject_TypeCheck(exc, (PyTypeObject *)PyExc_OSError)) {
        report(loop, message, exc, transport, protocol);
    } else if (loop->debug && log_exception(loop, message, exc, transport) < 0) {
        gl_loop_error(loop, "An error of a transport could not be logged", transport);
    }
    return exc;
}

void
gl_face_debug(gl_loop *loop, const char *format, PyObject *transport)
{
    if (!loop->debug) {
        return;
    }
    gl_face_state *face = loop->state->face;
    PyObject *text = PyUnicode_FromString(format);
    PyObject *result = NULL;
    if (text != NULL) {
        result =
            PyObject_CallMethodObjArgs(face->of.logger, face->name.debug, text, transport, NULL);
    }
    if (result == NULL) {
        gl_loop_error(loop, "A transport could not be logged", transport);
    }
    Py_XDECREF(result);
    Py_XDECREF(text);
}

void
gl_face_write_lost(gl_loop *loop, unsigned *count, const char *message)
{
    gl_face_state *face = loop->state->face;
    if (*count >= 5) { /* asyncio.constants.LOG_THRESHOLD_FOR_CONNLOST_WRITES */
        PyObject *text = PyUnicode_FromString(message);
        PyObject *result = NULL;
        if (text != NULL) {
            result = PyObject_CallMethodOneArg(face->of.logger, face->name.warning, text);
        }
        if (result == NULL) {
            gl_loop_error(loop, "A write to a lost connection could not be logged", NULL);
        }
        Py_XDECREF(result);
        Py_XDECREF(text);
    }
    if (*count < 1000) {
        ++*count;
    }
}

void
gl_face_unclosed(PyObject *transport)
{
    PyObject *before = gl_err_take();
    if (PyErr_ResourceWarning(transport, 1, "unclosed transport %R", transport) < 0) {
        /* Warnings may be errors; a finalizer cannot raise. */
        PyErr_WriteUnraisable(transport);
    }
    if (before != NULL) {
        gl_err_give(before);
    }
}

/* ---- flow control --------------------------------------------------------------------------- */

static void
tell(gl_loop *loop, PyObject *transport, PyObject *protocol, PyObject *context, PyObject *name,
     const char *failed)
{
    if (protocol == NULL) {
        return;
    }
    /* The protocol may be exchanged meanwhile. */
    Py_INCREF(protocol);
    PyObject *result = gl_face_call(context, protocol, name, NULL);
    if (result == NULL) {
        gl_face_error(loop, failed, transport, protocol);
    }
    Py_XDECREF(result);
    Py_DECREF(protocol);
}

void
gl_flow_pause(gl_flow *flow, gl_loop *loop, PyObject *transport, PyObject *protocol,
              PyObject *context)
{
    flow->paused = true;
    tell(loop, transport, protocol, context, loop->state->face->name.pause_writing,
         "protocol.pause_writing() failed");
}

void
gl_flow_resume(gl_flow *flow, gl_loop *loop, PyObject *transport, PyObject *protocol,
               PyObject *context)
{
    flow->paused = false;
    tell(loop, transport, protocol, context, loop->state->face->name.resume_writing,
         "protocol.resume_writing() failed");
}

/* A mark as asyncio takes it, any number of bytes; none is larger than memory can hold. */
static int
take_mark(PyObject *value, double *mark)
{
    *mark = PyFloat_AsDouble(value);
    return *mark == -1.0 && PyErr_Occurred() ? -1 : 0;
}

static size_t
as_size(double mark)
{
    return mark >= (double)(SIZE_MAX / 2) ? SIZE_MAX / 2 : (size_t)mark;
}

int
gl_flow_set_limits(gl_flow *flow, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"high", "low", NULL};
    PyObject *high = Py_None, *low = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:set_write_buffer_limits", names, &high,
                                     &low)) {
        return -1;
    }
    double most = 64 * 1024, least = 0;
    if ((high != Py_None && take_mark(high, &most) < 0) ||
        (low != Py_None && take_mark(low, &least) < 0)) {
        return -1;
    }
    if (high == Py_None && low != Py_None) {
        most = 4 * least;
    }
    if (low == Py_None) {
        least = (double)(int64_t)(most / 4);
    }
    if (!(most >= least && least >= 0)) {
        PyObject *m = PyFloat_FromDouble(most), *l = PyFloat_FromDouble(least);
        PyObject *mi = m ? PyNumber_Long(m) : NULL, *li = l ? PyNumber_Long(l) : NULL;
        if (mi != NULL && li != NULL) {
            PyErr_Format(PyExc_ValueError, "high (%R) must be >= low (%R) must be >= 0",
                         high != Py_None ? high : mi, low != Py_None ? low : li);
        }
        Py_XDECREF(m);
        Py_XDECREF(l);
        Py_XDECREF(mi);
        Py_XDECREF(li);
        return -1;
    }
    flow->high = as_size(most);
    flow->low = as_size(least);
    return 0;
}

PyObject *
gl_flow_limits(const gl_flow *flow)
{
    return Py_BuildValue("(nn)", (Py_ssize_t)flow->low, (Py_ssize_t)flow->high);
}

/* ---- descriptors ---------------------------------------------------------------------------- */

int
gl_face_claim(gl_loop *loop, int fd, PyObject *transport)
{
    size_t want = (size_t)fd + 1;
    if (want > loop->nclaims) {
        size_t size = loop->nclaims != 0 ? loop->nclaims : 64;
        while (size < want) {
            size *= 2;
        }
        PyObject **claims = loop->claims;
        PyMem_Resize(claims, PyObject *, size);
        if (claims == NULL) {
            (void)PyErr_NoMemory();
            return -1;
        }
        memset(claims + loop->nclaims, 0, (size - loop->nclaims) * sizeof(*claims));
        loop->claims = claims;
        loop->nclaims = size;
    }
    loop->claims[fd] = transport;
    return 0;
}

void
gl_face_disclaim(gl_loop *loop, int fd, PyObject *transport)
{
    if (gl_face_owner(loop, fd) == transport) {
        loop->claims[fd] = NULL;
    }
}

PyObject *
gl_face_owner(gl_loop *loop, int fd)
{
    return fd >= 0 && (size_t)fd < loop->nclaims ? loop->claims[fd] : NULL;
}

void
gl_face_claims_free(gl_loop *loop)
{
    PyMem_Free(loop->claims);
    loop->claims = NULL;
    loop->nclaims = 0;
}

/* ---- get_extra_info() ----------------------------------------------------------------------- */

PyObject *
gl_face_extra(PyObject *extra, PyObject *name, PyObject *fallback)
{
    PyObject *found = NULL;
    if (extra != NULL && PyDict_Check(extra)) {
        found = Py_XNewRef(PyDict_GetItemWithError(extra, name));
    } else if (extra != NULL) { /* a mapping of the user's */
        found = PyObject_GetItem(extra, name);
        if (found == NULL && PyErr_ExceptionMatches(PyExc_KeyError)) {
            PyErr_Clear();
        }
    }
    return found != NULL || PyErr_Occurred() ? found : Py_XNewRef(fallback);
}

int
gl_face_extra_args(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames, PyObject **name,
                   PyObject **fallback)
{
    static const char *const names[] = {"name", "default"};
    PyObject *found[2] = {nargs > 0 ? args[0] : NULL, nargs > 1 ? args[1] : NULL};
    Py_ssize_t n = kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0;
    for (Py_ssize_t i = 0; i < n && nargs <= 2; i++) {
        PyObject *key = PyTuple_GET_ITEM(kwnames, i);
        int k = PyUnicode_CompareWithASCIIString(key, names[0]) == 0   ? 0
                : PyUnicode_CompareWithASCIIString(key, names[1]) == 0 ? 1
                                                                       : -1;
        if (k < 0 || found[k] != NULL) {
            PyErr_Format(PyExc_TypeError, "get_extra_info() got an unexpected argument '%U'", key);
            return -1;
        }
        found[k] = args[nargs + i];
    }
    if (nargs > 2 || found[0] == NULL) {
        PyErr_SetString(PyExc_TypeError, "get_extra_info() takes a name and a default");
        return -1;
    }
    *name = found[0];
    *fallback = found[1] != NULL ? found[1] : Py_None;
    return 0;
}
