/* step.c: runs a coroutine up to its first suspension, at the cost of little more than the call,
 * yet inside a real asyncio.Task.
 *
 * Most handlers never suspend, and a Task costs five times as much as running them. But without a
 * current task asyncio.timeout(), TaskGroup and all of anyio fail. So the current task is an
 * instance of a subclass of asyncio.Task that is made without __init__ and kept for the next
 * request. __init__ is called on it only if the coroutine suspends, or if anybody looks at the
 * task (RequestTask's tp_getattro): a bare one would crash or raise. It is then given a shim
 * (shim.c), and the call_soon() by which __init__ asks for the first step is caught and run as
 * soon as the real first step is over.
 *
 * What differs from loop.create_task(): a task that nobody looked at is not in all_tasks() during
 * its first step, and the loop's task factory is not asked.
 */
#include "handle.h"

#include "parts.h"
#include "shim.h"

/* What a step keeps on the stack while its coroutine runs. */
typedef struct {
    gl_loop *loop;
    PyObject *coroutine;
    PyObject *context;
    PyObject *shim;  /* once the task is initialised */
    PyObject *start; /* the handle that makes the task's first step, likewise */
} step_frame;

/* What RequestTask adds to asyncio.Task. It owns nothing, so the base's slots suffice. */
typedef struct {
    step_frame *frame; /* while the first step runs and the task is not initialised */
    bool spoiled;      /* __init__ has failed in the middle */
} task_extra;

static task_extra *
extra_of(PyObject *task)
{
    return (task_extra *)((char *)task + Py_TYPE(task)->tp_base->tp_basicsize);
}

/* ---- RequestTask ---------------------------------------------------------------------------- */

/* Task.__init__(task, shim, loop=loop, context=context). */
static int
call_init(PyObject *task, step_frame *f)
{
    gl_io_state *io = f->loop->state->io;
    PyObject *args = PyTuple_Pack(1, f->shim);
    PyObject *names = PyDict_New();
    int result = -1;
    if (args && names && PyDict_SetItem(names, io->str_loop, (PyObject *)f->loop) == 0 &&
        PyDict_SetItem(names, io->str_context, f->context) == 0) {
        PyObject **outer = f->loop->capture;
        f->loop->capture = &f->start;
        result = Py_TYPE(task)->tp_base->tp_init(task, args, names);
        f->loop->capture = outer;
    }
    Py_XDECREF(names);
    Py_XDECREF(args);
    if (result == 0 && f->start == NULL) {
        PyErr_SetString(PyExc_SystemError, "asyncio.Task did not ask for its first step");
        result = -1;
    }
    return result;
}

/* Makes a bare task a whole one. What fails is tried again when the task is looked at again. */
static int
materialise(PyObject *task)
{
    task_extra *extra = extra_of(task);
    step_frame *f = extra->frame;
    if (f == NULL) {
        return 0;
    }
    extra->frame = NULL; /* first, for __init__ may look at its task */
    f->shim = gl_shim_new(f->loop->state->io, f->coroutine);
    if (f->shim == NULL || call_init(task, f) < 0) {
        Py_CLEAR(f->start);
        Py_CLEAR(f->shim);
        extra->frame = f;
        extra->spoiled = true;
        return -1;
    }
    return 0;
}

static PyObject *
task_getattro(PyObject *self, PyObject *name)
{
    return materialise(self) < 0 ? NULL : Py_TYPE(self)->tp_base->tp_getattro(self, name);
}

static int
task_setattro(PyObject *self, PyObject *name, PyObject *value)
{
    return materialise(self) < 0 ? -1 : Py_TYPE(self)->tp_base->tp_setattro(self, name, value);
}

static PyObject *
task_repr(PyObject *self)
{
    return materialise(self) < 0 ? NULL : Py_TYPE(self)->tp_base->tp_repr(self);
}

static int
task_traverse(PyObject *self, visitproc visit, void *arg)
{
#if PY_VERSION_HEX < 0x030C0000
    Py_VISIT(Py_TYPE(self)); /* the base is a static type and does not */
#endif
    return Py_TYPE(self)->tp_base->tp_traverse(self, visit, arg);
}

static PyObject *
task_get_coro(PyObject *self, PyTypeObject *type, PyObject *const *args, Py_ssize_t nargs,
              PyObject *names)
{
    gl_state *state = PyType_GetModuleState(type);
    PyObject *base = (PyObject *)Py_TYPE(self)->tp_base;
    PyObject *coroutine = PyObject_CallMethod(base, "get_coro", "O", self);
    if (coroutine == NULL) {
        return NULL;
    }
    PyObject *inner = Py_NewRef(gl_shim_inner(state->io, coroutine));
    Py_DECREF(coroutine);
    return inner;
}

static PyMethodDef task_methods[] = {
    {"get_coro", (PyCFunction)(void (*)(void))task_get_coro,
     METH_METHOD | METH_FASTCALL | METH_KEYWORDS, "The coroutine that the task runs."},
    {NULL},
};

static PyType_Slot task_slots[] = {
    {Py_tp_doc, "The asyncio.Task of a coroutine that the C API's step() has started."},
    {Py_tp_getattro, task_getattro},
    {Py_tp_setattro, task_setattro},
    {Py_tp_repr, task_repr},
    {Py_tp_traverse, task_traverse},
    {Py_tp_methods, task_methods},
    {0, NULL},
};

/* ---- the current task ----------------------------------------------------------------------- */

#if PY_VERSION_HEX < 0x030E0000

/* Makes `task` the loop's current one. *previous gets the one it displaces (a new reference), or
 * NULL. */
static int
enter_task(gl_loop *loop, PyObject *task, PyObject **previous)
{
    PyObject *tasks = loop->state->io->current_tasks;
    PyObject *current = PyDict_SetDefault(tasks, (PyObject *)loop, task);
    *previous = NULL;
    if (current == NULL) {
        return -1;
    }
    if (current == task) {
        return 0;
    }
    *previous = Py_NewRef(current);
    if (PyDict_SetItem(tasks, (PyObject *)loop, task) < 0) {
        Py_CLEAR(*previous);
        return -1;
    }
    return 0;
}

static void
leave_task(gl_loop *loop)
{
    if (PyDict_DelItem(loop->state->io->current_tasks, (PyObject *)loop) < 0) {
        PyErr_Clear(); /* someone has taken it out: it is out */
    }
}

/* Takes the reference. */
static void
restore_task(gl_loop *loop, PyObject *previous)
{
    PyObject *tasks = loop->state->io->current_tasks;
    if (previous && PyDict_SetItem(tasks, (PyObject *)loop, previous) < 0) {
        PyErr_WriteUnraisable((PyObject *)loop);
    }
    Py_XDECREF(previous);
}

static int
find_current_tasks(gl_io_state *io, PyObject *asyncio)
{
    io->current_tasks = PyObject_GetAttrString(asyncio, "_current_tasks");
    if (io->current_tasks && !PyDict_CheckExact(io->current_tasks)) {
        PyErr_SetString(PyExc_ImportError, "_asyncio._current_tasks is not a dict");
        return -1;
    }
    return io->current_tasks ? 0 : -1;
}

#else

/* From 3.14 on the current task is a field of the thread's state. */
static int
enter_task(gl_loop *loop, PyObject *task, PyObject **previous)
{
    PyObject *args[] = {(PyObject *)loop, task};
    PyObject *current = PyObject_Vectorcall(loop->state->io->swap_task, args, 2, NULL);
    *previous = NULL;
    if (current == NULL) {
        return -1;
    }
    if (current == Py_None) {
        Py_DECREF(current);
    } else {
        *previous = current;
    }
    return 0;
}

static void
leave_task(gl_loop *loop)
{
    PyObject *displaced;
    if (enter_task(loop, Py_None, &displaced) < 0) {
        PyErr_Clear();
    } else {
        Py_XDECREF(displaced);
    }
}

static void
restore_task(gl_loop *loop, PyObject *previous)
{
    PyObject *displaced = NULL;
    if (previous && enter_task(loop, previous, &displaced) < 0) {
        PyErr_WriteUnraisable((PyObject *)loop);
    }
    Py_XDECREF(displaced);
    Py_XDECREF(previous);
}

static int
find_current_tasks(gl_io_state *io, PyObject *asyncio)
{
    io->swap_task = PyObject_GetAttrString(asyncio, "_swap_current_task");
    return io->swap_task ? 0 : -1;
}

#endif

/* ---- the step ------------------------------------------------------------------------------- */

/* A bare task: the loop's spare one, or new. */
static PyObject *
take_task(gl_loop *loop)
{
    PyObject *task = loop->io.spare_task;
    if (task == NULL) {
        PyTypeObject *type = loop->state->io->task_type;
        return type->tp_alloc(type, 0);
    }
    loop->io.spare_task = NULL;
    PyObject_GC_Track(task);
    return task;
}

/* Takes the reference. A task that nobody has seen is as good as new. */
static void
give_task_back(gl_loop *loop, PyObject *task)
{
    if (Py_REFCNT(task) == 1 && !extra_of(task)->spoiled &&
        *PyObject_GET_WEAKREFS_LISTPTR(task) == NULL && loop->io.spare_task == NULL &&
        !loop->closed) {
        /* Out of sight of gc.get_objects(), whose users would look at it. */
        PyObject_GC_UnTrack(task);
        loop->io.spare_task = task;
    } else {
        Py_DECREF(task);
    }
}

/* The whole task learns how its first step has ended, and goes on by itself. Takes the reference
 * to `what`. */
static int
tell_task(PyObject *task, step_frame *f, PySendResult how, PyObject *what)
{
    if (materialise(task) < 0) {
        Py_DECREF(what);
        return -1;
    }
    gl_shim_first(f->shim, how, what);
    gl_handle_run((gl_handle *)f->start);
    return 0;
}

/* Runs the first step. `what` gets the exception too. */
static PySendResult
first_step(step_frame *f, PyObject **what)
{
    *what = NULL;
    PySendResult how = PYGEN_ERROR;
    if (PyContext_Enter(f->context) == 0) {
        how = PyIter_Send(f->coroutine, Py_None, what);
        if (how == PYGEN_ERROR) {
            *what = gl_err_take();
        }
        if (PyContext_Exit(f->context) == 0) {
            return how;
        }
        Py_CLEAR(*what);
    }
    *what = gl_err_take();
    return PYGEN_ERROR;
}

/* How a step has ended whose task nobody will see again. Takes the reference to `what`. */
static int
plain_result(PySendResult how, PyObject *what, PyObject **result)
{
    if (how == PYGEN_RETURN) {
        *result = what;
        return 0;
    }
    gl_err_give(what);
    return -1;
}

static int
step_in_context(step_frame *f, PyObject *task, PyObject **result)
{
    gl_loop *loop = f->loop;
    PyObject *previous, *what;
    task_extra *extra = extra_of(task);
    if (enter_task(loop, task, &previous) < 0) {
        give_task_back(loop, task);
        return -1;
    }
    extra->frame = f;
    PySendResult how = first_step(f, &what);
    leave_task(loop);

    bool unseen = extra->frame != NULL && Py_REFCNT(task) == 1;
    if (how != PYGEN_NEXT && unseen) {
        extra->frame = NULL;
        restore_task(loop, previous);
        give_task_back(loop, task);
        return plain_result(how, what, result);
    }

    int told = tell_task(task, f, how, what);
    extra->frame = NULL;
    restore_task(loop, previous);
    if (told == 0 && how == PYGEN_NEXT) {
        *result = task;
        return 1;
    }
    if (told == 0) {
        /* Its own outcome, for a task that was cancelled in its last moment is cancelled. It also
         * marks the exception as seen. */
        *result = PyObject_CallMethodNoArgs(task, loop->state->io->str_result);
    }
    Py_DECREF(task);
    return *result ? 0 : -1;
}

int
gl_step(gl_loop *loop, PyObject *coroutine, PyObject *context, PyObject **result)
{
    *result = NULL;
    step_frame f = {.loop = loop, .coroutine = coroutine};
    f.context = context ? Py_NewRef(context) : PyContext_CopyCurrent();
    if (f.context == NULL) {
        return -1;
    }
    PyObject *task = take_task(loop);
    int status = task ? step_in_context(&f, task, result) : -1;
    Py_XDECREF(f.start);
    Py_XDECREF(f.shim);
    Py_DECREF(f.context);
    return status;
}

/* ---- register ------------------------------------------------------------------------------- */

static int
intern_names(gl_io_state *io)
{
    struct {
        PyObject **place;
        const char *name;
    } names[] = {
        {&io->str_loop, "loop"},   {&io->str_context, "context"}, {&io->str_result, "result"},
        {&io->str_throw, "throw"}, {&io->str_close, "close"},     {&io->str_cancel, "cancel"},
        {&io->str_msg, "msg"},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        *names[i].place = PyUnicode_InternFromString(names[i].name);
        if (*names[i].place == NULL) {
            return -1;
        }
    }
    return 0;
}

static int
make_task_type(PyObject *module, gl_io_state *io, PyObject *asyncio)
{
    PyObject *base = PyObject_GetAttrString(asyncio, "Task");
    if (base == NULL) {
        return -1;
    }
    PyType_Spec spec = {
        .name = "guava_loop._core.RequestTask",
        .basicsize = (int)(((PyTypeObject *)base)->tp_basicsize + (Py_ssize_t)sizeof(task_extra)),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
        .slots = task_slots,
    };
    io->task_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, base);
    Py_DECREF(base);
    return io->task_type ? 0 : -1;
}

int
gl_step_exec(PyObject *module, gl_io_state *io)
{
    PyObject *asyncio = PyImport_ImportModule("_asyncio");
    if (asyncio == NULL) {
        return -1;
    }
    int result = find_current_tasks(io, asyncio);
    if (result == 0) {
        result = make_task_type(module, io, asyncio);
    }
    if (result == 0) {
        result = intern_names(io);
    }
    Py_DECREF(asyncio);
    return result;
}
