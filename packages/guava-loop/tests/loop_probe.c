/* loop_probe.c: what guava_loop.h offers beside streams, with a Python face, for the tests: time,
 * ticks, deferred and posted calls, errors, steps. Written against the published header only. */
#include <pthread.h>

#include <guava_loop.h>

static const guava_loop_api *api; /* the tests use one interpreter */

/* ---- time ----------------------------------------------------------------------------------- */

static PyObject *
probe_time(PyObject *module, PyObject *object)
{
    guava_loop *loop = api->from_object(object);
    return loop ? PyFloat_FromDouble(api->time(loop)) : NULL;
}

static PyObject *
probe_tick(PyObject *module, PyObject *object)
{
    guava_loop *loop = api->from_object(object);
    return loop ? PyLong_FromUnsignedLongLong(api->tick(loop)) : NULL;
}

static PyObject *
probe_http_date(PyObject *module, PyObject *object)
{
    guava_loop *loop = api->from_object(object);
    return loop ? PyUnicode_FromString(api->http_date(loop)) : NULL;
}

static PyObject *
probe_running(PyObject *module, PyObject *unused)
{
    guava_loop *loop = api->running();
    if (loop == NULL && PyErr_Occurred()) {
        return NULL;
    }
    return Py_NewRef(loop ? api->object(loop) : Py_None);
}

/* ---- calls ---------------------------------------------------------------------------------- */

/* Leaves the exception set on purpose: the loop has to see to it. */
static void
call_once(void *arg)
{
    PyObject *result = PyObject_CallNoArgs(arg);
    Py_XDECREF(result);
    Py_DECREF(arg);
}

static void
call_again(void *arg)
{
    PyObject *result = PyObject_CallNoArgs(arg);
    Py_XDECREF(result);
}

static PyObject *
probe_defer(PyObject *module, PyObject *args)
{
    PyObject *object, *fn;
    guava_loop *loop;
    if (!PyArg_ParseTuple(args, "OO", &object, &fn) || (loop = api->from_object(object)) == NULL) {
        return NULL;
    }
    if (api->defer(loop, call_once, Py_NewRef(fn)) < 0) {
        Py_DECREF(fn);
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
probe_post(PyObject *module, PyObject *args)
{
    PyObject *object, *fn;
    guava_loop *loop;
    if (!PyArg_ParseTuple(args, "OO", &object, &fn) || (loop = api->from_object(object)) == NULL) {
        return NULL;
    }
    int result = api->post(loop, call_once, Py_NewRef(fn));
    if (result < 0) {
        Py_DECREF(fn);
    }
    return PyLong_FromLong(result);
}

/* Threads that know nothing of Python and post numbered calls. */
typedef struct sender {
    guava_loop *loop;
    struct crowd *crowd;
    pthread_t thread;
    long wanted, next; /* the number that must come next */
    long refused;
} sender;

typedef struct crowd {
    PyObject *done;
    long left, in_order;
    int n;
    sender senders[];
} crowd;

typedef struct {
    sender *from;
    long number;
} letter;

static void
receive(void *arg)
{
    letter *l = arg;
    crowd *c = l->from->crowd;
    c->in_order += l->number == l->from->next++;
    free(l);
    if (--c->left == 0) {
        call_again(c->done);
    }
}

static void *
send_all(void *arg)
{
    sender *s = arg;
    for (long i = 0; i < s->wanted; i++) {
        letter *l = malloc(sizeof(*l));
        *l = (letter){s, i};
        if (api->post(s->loop, receive, l) < 0) {
            s->refused++;
            free(l);
        }
    }
    return NULL;
}

static PyObject *
probe_start_senders(PyObject *module, PyObject *args)
{
    PyObject *object, *done;
    int n;
    long each;
    guava_loop *loop;
    if (!PyArg_ParseTuple(args, "OilO", &object, &n, &each, &done) ||
        (loop = api->from_object(object)) == NULL) {
        return NULL;
    }
    crowd *c = calloc(1, sizeof(*c) + (size_t)n * sizeof(sender));
    c->done = Py_NewRef(done);
    c->n = n;
    c->left = n * each;
    for (int i = 0; i < n; i++) {
        c->senders[i] = (sender){.loop = loop, .crowd = c, .wanted = each};
    }
    for (int i = 0; i < n; i++) {
        pthread_create(&c->senders[i].thread, NULL, send_all, &c->senders[i]);
    }
    return PyCapsule_New(c, "crowd", NULL);
}

/* (in order, refused) */
static PyObject *
probe_join_senders(PyObject *module, PyObject *capsule)
{
    crowd *c = PyCapsule_GetPointer(capsule, "crowd");
    long refused = 0;
    Py_BEGIN_ALLOW_THREADS for (int i = 0; i < c->n; i++)
    {
        pthread_join(c->senders[i].thread, NULL);
        refused += c->senders[i].refused;
    }
    Py_END_ALLOW_THREADS PyObject *result = Py_BuildValue("ll", c->in_order, refused);
    Py_DECREF(c->done);
    free(c);
    return result;
}

static PyObject *
probe_on_tick(PyObject *module, PyObject *args)
{
    PyObject *object, *fn;
    unsigned ms;
    void *handle;
    guava_loop *loop;
    if (!PyArg_ParseTuple(args, "OOI", &object, &fn, &ms) ||
        (loop = api->from_object(object)) == NULL ||
        api->on_tick(loop, call_again, fn, ms, &handle) < 0) {
        return NULL;
    }
    Py_INCREF(fn); /* for the process: ticks have no end of their own */
    return PyLong_FromVoidPtr(handle);
}

static PyObject *
probe_off_tick(PyObject *module, PyObject *args)
{
    PyObject *object, *handle;
    guava_loop *loop;
    if (!PyArg_ParseTuple(args, "OO", &object, &handle) ||
        (loop = api->from_object(object)) == NULL) {
        return NULL;
    }
    api->off_tick(loop, PyLong_AsVoidPtr(handle));
    Py_RETURN_NONE;
}

/* error(loop, exception, where, context=NULL) */
static PyObject *
probe_error(PyObject *module, PyObject *args)
{
    PyObject *object, *exc, *context = NULL;
    const char *where;
    guava_loop *loop;
    if (!PyArg_ParseTuple(args, "OOs|O", &object, &exc, &where, &context) ||
        (loop = api->from_object(object)) == NULL) {
        return NULL;
    }
    PyErr_SetObject((PyObject *)Py_TYPE(exc), exc);
    api->error(loop, where, context);
    return PyBool_FromLong(PyErr_Occurred() != NULL);
}

/* ---- steps ---------------------------------------------------------------------------------- */

/* (0, value) or (1, task), or what the coroutine raised. */
static PyObject *
probe_step(PyObject *module, PyObject *args)
{
    PyObject *object, *coroutine, *context = NULL, *result;
    guava_loop *loop;
    if (!PyArg_ParseTuple(args, "OO|O", &object, &coroutine, &context) ||
        (loop = api->from_object(object)) == NULL) {
        return NULL;
    }
    int status = api->step(loop, coroutine, context, &result);
    return status < 0 ? NULL : Py_BuildValue("iN", status, result);
}

/* step_many(loop, function, n): a coroutine of function() each time; the last result. For
 * counting. */
static PyObject *
probe_step_many(PyObject *module, PyObject *args)
{
    PyObject *object, *function, *result = NULL;
    long n;
    guava_loop *loop;
    if (!PyArg_ParseTuple(args, "OOl", &object, &function, &n) ||
        (loop = api->from_object(object)) == NULL) {
        return NULL;
    }
    for (long i = 0; i < n; i++) {
        Py_CLEAR(result);
        PyObject *coroutine = PyObject_CallNoArgs(function);
        int status = coroutine ? api->step(loop, coroutine, NULL, &result) : -1;
        Py_XDECREF(coroutine);
        if (status < 0) {
            return NULL;
        }
    }
    return result ? result : Py_NewRef(Py_None);
}

/* send_many(function, n): the same with PyIter_Send() alone, the least that it can cost. */
static PyObject *
probe_send_many(PyObject *module, PyObject *args)
{
    PyObject *function, *result = NULL;
    long n;
    if (!PyArg_ParseTuple(args, "Ol", &function, &n)) {
        return NULL;
    }
    for (long i = 0; i < n; i++) {
        Py_CLEAR(result);
        PyObject *coroutine = PyObject_CallNoArgs(function);
        PySendResult how = coroutine ? PyIter_Send(coroutine, Py_None, &result) : PYGEN_ERROR;
        Py_XDECREF(coroutine);
        if (how == PYGEN_ERROR) {
            return NULL;
        }
    }
    return result ? result : Py_NewRef(Py_None);
}

/* ---- the module ----------------------------------------------------------------------------- */

static PyObject *
probe_import_again(PyObject *module, PyObject *unused)
{
    const guava_loop_api *found = guava_loop_import();
    return found ? PyBool_FromLong(found == api) : NULL;
}

/* The table as bytes, and a capsule of other bytes: how an older or newer provider would look. */
static PyObject *
probe_table(PyObject *module, PyObject *unused)
{
    return PyBytes_FromStringAndSize((const char *)api, api->size);
}

static PyObject *
probe_fake_capsule(PyObject *module, PyObject *bytes)
{
    char *copy = malloc((size_t)PyBytes_GET_SIZE(bytes)); /* for the process: a capsule borrows */
    memcpy(copy, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    return PyCapsule_New(copy, GUAVA_LOOP_CAPSULE, NULL);
}

static PyMethodDef functions[] = {
    {"time", probe_time, METH_O, NULL},
    {"tick", probe_tick, METH_O, NULL},
    {"http_date", probe_http_date, METH_O, NULL},
    {"running", probe_running, METH_NOARGS, NULL},
    {"defer", probe_defer, METH_VARARGS, NULL},
    {"post", probe_post, METH_VARARGS, NULL},
    {"start_senders", probe_start_senders, METH_VARARGS, NULL},
    {"join_senders", probe_join_senders, METH_O, NULL},
    {"on_tick", probe_on_tick, METH_VARARGS, NULL},
    {"off_tick", probe_off_tick, METH_VARARGS, NULL},
    {"error", probe_error, METH_VARARGS, NULL},
    {"step", probe_step, METH_VARARGS, NULL},
    {"step_many", probe_step_many, METH_VARARGS, NULL},
    {"send_many", probe_send_many, METH_VARARGS, NULL},
    {"import_again", probe_import_again, METH_NOARGS, NULL},
    {"table", probe_table, METH_NOARGS, NULL},
    {"fake_capsule", probe_fake_capsule, METH_O, NULL},
    {NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "loop_probe",
    .m_size = -1,
    .m_methods = functions,
};

PyMODINIT_FUNC
PyInit_loop_probe(void)
{
    api = guava_loop_import();
    return api ? PyModule_Create(&definition) : NULL;
}
