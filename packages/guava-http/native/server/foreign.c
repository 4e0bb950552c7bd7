/* foreign.c: what guava_loop.h asks of a loop, done through the methods that every asyncio loop
 * has. It is slower than guava-loop by what those methods cost; nothing else differs. */
#include "server/foreign.h"

#include <errno.h>
#include <time.h>

#include "core/date.h"

/* ---- a C function as a callback of asyncio's -------------------------------------------------
 */

typedef struct {
    PyObject_HEAD void (*fn)(void *arg);
    void *arg;
    PyObject *exception; /* raised instead of a call */
    PyObject *loop;      /* where it is to be called again, or NULL */
    PyObject *handle;    /* of that call */
    double interval;     /* seconds */
} call;

static PyObject *
call_new(gh_foreign *self, void (*fn)(void *arg), void *arg)
{
    call *result = PyObject_GC_New(call, self->part->call_type);
    if (result == NULL)
        return NULL;
    result->fn = fn;
    result->arg = arg;
    result->exception = result->loop = result->handle = NULL;
    result->interval = 0;
    PyObject_GC_Track(result);
    return (PyObject *)result;
}

static int
call_again(call *self)
{
    PyObject *handle = PyObject_CallMethod(self->loop, "call_later", "dO", self->interval, self);
    if (handle == NULL)
        return -1;
    Py_XSETREF(self->handle, handle);
    return 0;
}

static PyObject *
call_call(call *self, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    if (self->exception != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(self->exception), self->exception);
        return NULL;
    }
    if (self->fn != NULL)
        self->fn(self->arg);
    /* fn() may have taken the loop away. */
    if (self->loop != NULL && call_again(self) < 0) {
        /* All that is timed hangs on it: it does not end for want of a few bytes. */
        PyErr_WriteUnraisable((PyObject *)self);
        if (call_again(self) < 0)
            return NULL;
    }
    Py_RETURN_NONE;
}

static int
call_traverse(call *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->exception);
    Py_VISIT(self->loop);
    Py_VISIT(self->handle);
    return 0;
}

static int
call_clear(call *self)
{
    Py_CLEAR(self->exception);
    Py_CLEAR(self->loop);
    Py_CLEAR(self->handle);
    return 0;
}

static void
call_dealloc(call *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)call_clear(self);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyType_Slot call_slots[] = {
    {Py_tp_call, call_call},
    {Py_tp_traverse, call_traverse},
    {Py_tp_clear, call_clear},
    {Py_tp_dealloc, call_dealloc},
    {0, NULL},
};

static PyType_Spec call_spec = {
    .name = "guava_http._core.Call",
    .basicsize = sizeof(call),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = call_slots,
};

int
gh_foreign_register(PyObject *module, struct gh_server_part *part)
{
    part->call_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &call_spec, NULL);
    return part->call_type == NULL ? -1 : 0;
}

/* ---- the loop --------------------------------------------------------------------------------
 */

static uint64_t
now_ms(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

gh_foreign *
gh_foreign_new(struct gh_server_part *part, PyObject *loop)
{
    gh_foreign *self = PyMem_Calloc(1, sizeof(*self));
    PyObject *bytes = PyByteArray_FromStringAndSize(NULL, GH_FOREIGN_READ);
    if (self == NULL || bytes == NULL) {
        Py_XDECREF(bytes);
        PyMem_Free(self);
        if (!PyErr_Occurred())
            PyErr_NoMemory();
        return NULL;
    }
    self->part = part;
    self->loop = loop;
    self->bytes = PyByteArray_AS_STRING(bytes);
    self->view = PyMemoryView_FromObject(bytes); /* keeps the memory where it is */
    self->born = now_ms();
    Py_DECREF(bytes);
    if (self->view == NULL) {
        PyMem_Free(self);
        return NULL;
    }
    return self;
}

void
gh_foreign_free(gh_foreign *self)
{
    if (self != NULL)
        Py_DECREF(self->view);
    PyMem_Free(self);
}

guava_loop *
gh_foreign_from_object(PyObject *object)
{
    PyErr_Format(PyExc_TypeError, "%.200s is not known here", Py_TYPE(object)->tp_name);
    return NULL;
}

PyObject *
gh_foreign_object(guava_loop *loop)
{
    return ((gh_foreign *)loop)->loop;
}

guava_loop *
gh_foreign_running(void)
{
    return NULL;
}

double
gh_foreign_time(guava_loop *loop)
{
    return (double)now_ms() / 1000;
}

const char *
gh_foreign_http_date(guava_loop *loop)
{
    gh_foreign *self = (gh_foreign *)loop;
    int64_t now = (int64_t)time(NULL);
    if (now != self->date_of && gh_date_render(now, self->date))
        self->date_of = now;
    return self->date;
}

uint64_t
gh_foreign_tick(guava_loop *loop)
{
    return (now_ms() - ((gh_foreign *)loop)->born) / GH_TICK_MS;
}

static int
call_soon(gh_foreign *self, const char *method, PyObject *callback)
{
    PyObject *handle =
        callback == NULL ? NULL : PyObject_CallMethod(self->loop, method, "O", callback);
    Py_XDECREF(callback);
    Py_XDECREF(handle);
    return handle == NULL ? -1 : 0;
}

int
gh_foreign_defer(guava_loop *loop, void (*fn)(void *arg), void *arg)
{
    gh_foreign *self = (gh_foreign *)loop;
    return call_soon(self, "call_soon", call_new(self, fn, arg));
}

int
gh_foreign_post(guava_loop *loop, void (*fn)(void *arg), void *arg)
{
    gh_foreign *self = (gh_foreign *)loop;
    PyGILState_STATE state = PyGILState_Ensure();
    int result = call_soon(self, "call_soon_threadsafe", call_new(self, fn, arg));
    if (result < 0)
        PyErr_Clear(); /* the loop is closed: a thread has nobody to tell */
    PyGILState_Release(state);
    return result < 0 ? -ESHUTDOWN : 0;
}

int
gh_foreign_on_tick(guava_loop *loop, void (*fn)(void *arg), void *arg, unsigned ms, void **handle)
{
    gh_foreign *self = (gh_foreign *)loop;
    call *tick = (call *)call_new(self, fn, arg);
    if (tick == NULL)
        return -1;
    tick->loop = Py_NewRef(self->loop);
    tick->interval = (double)ms / 1000;
    if (call_again(tick) < 0) {
        Py_DECREF(tick);
        return -1;
    }
    *handle = tick;
    return 0;
}

void
gh_foreign_off_tick(guava_loop *loop, void *handle)
{
    call *tick = handle;
    Py_CLEAR(tick->loop);
    tick->fn = NULL;
    PyObject *done = PyObject_CallMethod(tick->handle, "cancel", NULL);
    if (done == NULL)
        PyErr_WriteUnraisable((PyObject *)tick);
    Py_XDECREF(done);
    Py_DECREF(tick);
}

void
gh_foreign_error(guava_loop *loop, const char *where, PyObject *context)
{
    gh_foreign *self = (gh_foreign *)loop;
    bool stops = PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) ||
                 PyErr_ExceptionMatches(PyExc_SystemExit);
    PyObject *exception = gh_take_exception();
    PyObject *done = NULL;
    if (stops) {
        /* Raised from a callback of the loop's own, such a one leaves run_forever(). */
        call *raise = (call *)call_new(self, NULL, NULL);
        if (raise != NULL)
            raise->exception = Py_NewRef(exception);
        if (call_soon(self, "call_soon", (PyObject *)raise) == 0)
            done = Py_NewRef(Py_None);
    } else {
        done = PyObject_CallMethod(self->loop, "call_exception_handler", "{s:s,s:O,s:O}",
                                   "message", where, "exception", exception, "connection",
                                   context == NULL ? Py_None : context);
    }
    if (done == NULL)
        PyErr_WriteUnraisable(exception);
    Py_XDECREF(done);
    Py_DECREF(exception);
}

int
gh_foreign_step(guava_loop *loop, PyObject *coroutine, PyObject *context, PyObject **result)
{
    gh_foreign *self = (gh_foreign *)loop;
    PyObject *create = PyObject_GetAttrString(self->loop, "create_task");
    PyObject *args = PyTuple_Pack(1, coroutine);
    PyObject *kwargs = context == NULL ? NULL : Py_BuildValue("{s:O}", "context", context);
    *result = NULL;
    if (create != NULL && args != NULL && (kwargs != NULL || context == NULL))
        *result = PyObject_Call(create, args, kwargs);
    Py_XDECREF(create);
    Py_XDECREF(args);
    Py_XDECREF(kwargs);
    if (*result == NULL) {
        /* Nobody will ever await it. */
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        PyObject *closed = PyObject_CallMethod(coroutine, "close", NULL);
        if (closed == NULL)
            PyErr_WriteUnraisable(coroutine);
        Py_XDECREF(closed);
        PyErr_Restore(type, value, traceback);
        return -1;
    }
    return 1;
}
