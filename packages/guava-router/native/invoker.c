/* invoker.c: Invoker, which calls a method on a fresh instance of its class.
 *
 * An action of a controller has an instance for each request. What a framework does around the
 * call is nearly always the same: make the instance, fill its slots, call, and see that the action
 * has left the slots alone. That is done here without a Python frame; whatever is not so plain
 * goes to the framework's own function. */
#include "parts.h"

#include <structmember.h>

#define MAX_FRESH 4
#define MAX_ARGS 16

typedef struct {
    Py_ssize_t offset;
    PyObject *value;
} fresh_slot;

typedef struct {
    PyObject_HEAD vectorcallfunc vectorcall;
    gr_state *state; /* of the module, which the type keeps alive */
    PyTypeObject *cls;
    PyObject *function;
    PyObject *finish;
    PyTypeObject *owner; /* has the slots */
    Py_ssize_t request;  /* where an instance has its request */
    Py_ssize_t written;  /* where it has what it wrote: also one of fresh */
    fresh_slot fresh[MAX_FRESH];
    int n_fresh;
} invoker;

static inline PyObject **
slot_at(PyObject *instance, Py_ssize_t offset)
{
    return (PyObject **)((char *)instance + offset);
}

static PyObject *
new_instance(invoker *self)
{
    PyTypeObject *cls = self->cls;
    PyObject *instance = cls->tp_new(cls, self->state->empty_args, NULL);
    if (instance == NULL)
        return NULL;
    if (!PyObject_TypeCheck(instance, self->owner)) {
        PyErr_Format(PyExc_TypeError, "%R makes no instance of %R", cls, self->owner);
        goto error;
    }
    if (Py_TYPE(instance)->tp_init != PyBaseObject_Type.tp_init &&
        Py_TYPE(instance)->tp_init(instance, self->state->empty_args, NULL) < 0)
        goto error;
    return instance;
error:
    Py_DECREF(instance);
    return NULL;
}

static void
set_slots(invoker *self, PyObject *instance, PyObject *request)
{
    Py_XSETREF(*slot_at(instance, self->request), Py_NewRef(request));
    for (int i = 0; i < self->n_fresh; i++)
        Py_XSETREF(*slot_at(instance, self->fresh[i].offset), Py_NewRef(self->fresh[i].value));
}

/* The answer, borrowed, if the action did nothing but return or write one str; else NULL. */
static PyObject *
plain_answer(invoker *self, PyObject *instance, PyObject *result)
{
    PyObject *said = result;
    for (int i = 0; i < self->n_fresh; i++) {
        PyObject *now = *slot_at(instance, self->fresh[i].offset);
        if (now == self->fresh[i].value)
            continue;
        if (self->fresh[i].offset != self->written || result != Py_None || now == NULL)
            return NULL;
        said = now;
    }
    return PyUnicode_CheckExact(said) ? said : NULL;
}

static PyObject *
invoker_call(PyObject *callable, PyObject *const *args, size_t flags, PyObject *names)
{
    invoker *self = (invoker *)callable;
    Py_ssize_t n = PyVectorcall_NARGS(flags);
    if (n < 1 || n > MAX_ARGS || (names != NULL && PyTuple_GET_SIZE(names) != 0)) {
        PyErr_SetString(PyExc_TypeError,
                        "an Invoker is called with a request and up to 15 arguments");
        return NULL;
    }
    if (self->cls == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the Invoker was cleared");
        return NULL;
    }
    PyObject *instance = new_instance(self);
    if (instance == NULL)
        return NULL;
    set_slots(self, instance, args[0]);
    PyObject *stack[MAX_ARGS + 1];
    stack[1] = instance;
    for (Py_ssize_t i = 1; i < n; i++)
        stack[i + 1] = args[i];
    PyObject *result = PyObject_Vectorcall(self->function, stack + 1,
                                           (size_t)n | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    if (result != NULL) {
        PyObject *said = plain_answer(self, instance, result);
        if (said != NULL) {
            Py_SETREF(result, Py_NewRef(said));
        } else {
            PyObject *rest[3] = {NULL, instance, result};
            Py_SETREF(result, PyObject_Vectorcall(self->finish, rest + 1,
                                                  2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL));
        }
    }
    Py_DECREF(instance);
    return result;
}

/* The offset of a slot that `cls` inherits from `owner`; -1 with an exception. */
static Py_ssize_t
slot_offset(PyTypeObject *cls, PyTypeObject *owner, PyObject *name)
{
    Py_ssize_t offset = -1;
    PyObject *found = PyObject_GetAttr((PyObject *)cls, name);
    if (found == NULL)
        return -1;
    if (Py_TYPE(found) == &PyMemberDescr_Type && PyDescr_TYPE(found) == owner) {
        PyMemberDef *member = ((PyMemberDescrObject *)found)->d_member;
        if (member->type == T_OBJECT_EX && !(member->flags & READONLY))
            offset = member->offset;
    }
    if (offset < 0)
        PyErr_Format(PyExc_TypeError, "Invoker: %R of %R is no slot of %R", name, cls, owner);
    Py_DECREF(found);
    return offset;
}

static int
read_slots(invoker *self, PyObject *request, PyObject *fresh, PyObject *written)
{
    PyObject *name, *value;
    Py_ssize_t at = 0;
    self->request = slot_offset(self->cls, self->owner, request);
    if (self->request < 0)
        return -1;
    self->written = slot_offset(self->cls, self->owner, written);
    if (self->written < 0)
        return -1;
    if (PyDict_GET_SIZE(fresh) > MAX_FRESH) {
        PyErr_Format(PyExc_ValueError, "Invoker: at most %d fresh slots", MAX_FRESH);
        return -1;
    }
    while (PyDict_Next(fresh, &at, &name, &value)) {
        Py_ssize_t offset = slot_offset(self->cls, self->owner, name);
        if (offset < 0)
            return -1;
        self->fresh[self->n_fresh].offset = offset;
        self->fresh[self->n_fresh++].value = Py_NewRef(value);
    }
    return 0;
}

static PyObject *
invoker_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"controller", "function", "owner",  "request",
                            "fresh",      "written",  "finish", NULL};
    PyObject *cls, *function, *owner, *request, *fresh, *written, *finish;
    gr_state *state = gr_state_by(type);
    if (state == NULL ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "O!OO!UO!UO:Invoker", names, &PyType_Type, &cls,
                                     &function, &PyType_Type, &owner, &request, &PyDict_Type,
                                     &fresh, &written, &finish))
        return NULL;
    if (((PyTypeObject *)cls)->tp_new == NULL ||
        !PyType_IsSubtype((PyTypeObject *)cls, (PyTypeObject *)owner)) {
        PyErr_Format(PyExc_TypeError, "Invoker: %R is no class of %R", cls, owner);
        return NULL;
    }
    if (!PyCallable_Check(function) || !PyCallable_Check(finish)) {
        PyErr_SetString(PyExc_TypeError, "Invoker: function and finish must be callable");
        return NULL;
    }
    invoker *self = (invoker *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->vectorcall = invoker_call;
    self->state = state;
    self->cls = (PyTypeObject *)Py_NewRef(cls);
    self->function = Py_NewRef(function);
    self->finish = Py_NewRef(finish);
    self->owner = (PyTypeObject *)Py_NewRef(owner);
    if (read_slots(self, request, fresh, written) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static int
invoker_traverse(invoker *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->cls);
    Py_VISIT(self->function);
    Py_VISIT(self->finish);
    Py_VISIT(self->owner);
    for (int i = 0; i < self->n_fresh; i++)
        Py_VISIT(self->fresh[i].value);
    return 0;
}

static int
invoker_clear(invoker *self)
{
    Py_CLEAR(self->cls);
    Py_CLEAR(self->function);
    Py_CLEAR(self->finish);
    Py_CLEAR(self->owner);
    for (int i = 0; i < self->n_fresh; i++)
        Py_CLEAR(self->fresh[i].value);
    return 0;
}

static void
invoker_dealloc(invoker *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)invoker_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

PyDoc_STRVAR(
    invoker_doc,
    "Invoker(controller, function, owner, request, fresh, written, finish)\n--\n\n"
    "A function of a request and arguments that calls a method on an instance made for it.\n\n"
    "controller: the class, called without arguments for each request. function: the method, "
    "called with the\n"
    "instance and the arguments. owner: the base class whose __slots__ the names below are.\n"
    "request: the slot that gets the request. fresh: a dict of slots and the values that they "
    "begin\n"
    "with, four at most. written: one of these, where the instance keeps what it wrote.\n"
    "finish(instance, result): gives the answer, unless the method left the fresh slots alone "
    "and\n"
    "returned a str, or left all but written alone, wrote one str, and returned None: then that\n"
    "str is the answer.\n\n"
    "Raises TypeError if a name is no slot of owner, or controller has something else of this "
    "name.");

static PyMemberDef invoker_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(invoker, vectorcall), READONLY},
    {NULL},
};

static PyType_Slot invoker_slots[] = {
    {Py_tp_doc, (void *)invoker_doc}, {Py_tp_new, invoker_new},
    {Py_tp_dealloc, invoker_dealloc}, {Py_tp_traverse, invoker_traverse},
    {Py_tp_clear, invoker_clear},     {Py_tp_call, PyVectorcall_Call},
    {Py_tp_members, invoker_members}, {0, NULL},
};

static PyType_Spec invoker_spec = {
    .name = "guava_router.Invoker",
    .basicsize = sizeof(invoker),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = invoker_slots,
};

int
gr_invoker_register(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &invoker_spec, NULL);
    int result = type == NULL ? -1 : PyModule_AddType(module, (PyTypeObject *)type);
    Py_XDECREF(type);
    return result;
}
