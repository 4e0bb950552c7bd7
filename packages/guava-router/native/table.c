/* table.c: Table, an immutable segment tree whose nodes answer with handlers.
 *
 * All policy (what HEAD does, what a 405 says, which classes are controllers) was decided in
 * Python when the routes were listed; here a path only finds its node, a method its route, and the
 * texts between the slashes become arguments. Nothing is allocated but the result. */
#include "parts.h"
#include "tree.h"

#include <string.h>

typedef struct {
    PyObject *method;   /* str, or NULL: any method */
    PyObject *answer;   /* a Handler gets the path's arguments, anything else is given as it is */
    PyObject *guard;    /* an Endpoint that the path's texts must suit, or NULL */
    uint32_t low, high; /* how many further segments the route takes as arguments */
} route;

typedef struct {
    PyObject_HEAD gr_tree tree;
    route *routes; /* sorted by node */
    Py_ssize_t n_routes;
    bool loose_slash; /* one slash at the end of a path does not count */
} table_object;

/* ---- matching --------------------------------------------------------------------------------
 */

typedef struct {
    const char *at;
    Py_ssize_t n;
} span;

typedef struct {
    const table_object *table;
    gr_ask *ask;
    const char *end;
    bool ascii;
    const route *found;
    const char *rest; /* the segments behind the found node, NULL: none */
    uint32_t n_rest;
    uint32_t n_parameters;
    PyObject *args; /* converted for the found route, owned; or NULL */
    span parameters[GR_TREE_DEPTH];
} walk;

/* The arguments that the path has for an endpoint, converted if it asks for that, behind its
 * `own`. 1 with a new reference, 0 if a text does not suit, -1 with an exception. */
static int
make_args(const walk *w, const gr_endpoint *endpoint, PyObject *own, uint32_t n_rest,
          PyObject **out)
{
    Py_ssize_t n_own = PyTuple_GET_SIZE(own), n_given = (Py_ssize_t)w->n_parameters + n_rest;
    const char *rest = w->rest;
    int done = -1;
    PyObject *args = PyTuple_New(n_own + n_given);
    if (args == NULL)
        return -1;
    /* A converter may be Python, which may do anything. */
    PyObject *converters = Py_XNewRef(endpoint->converters);
    Py_ssize_t last = converters == NULL ? 0 : PyTuple_GET_SIZE(converters) - 1;
    for (Py_ssize_t i = 0; i < n_own; i++)
        PyTuple_SET_ITEM(args, i, Py_NewRef(PyTuple_GET_ITEM(own, i)));
    for (Py_ssize_t i = 0; i < n_given; i++) {
        span text;
        if (i < (Py_ssize_t)w->n_parameters) {
            text = w->parameters[i];
        } else {
            const char *stop = memchr(rest, '/', (size_t)(w->end - rest));
            text = (span){rest, (stop == NULL ? w->end : stop) - rest};
            rest += text.n + 1;
        }
        PyObject *value = NULL;
        if (converters == NULL) {
            value = gr_text(text.at, text.n, w->ascii);
        } else {
            PyObject *converter = PyTuple_GET_ITEM(converters, i < last ? i : last);
            done = gr_convert(converter, text.at, text.n, w->ascii, &value);
        }
        if (value == NULL)
            goto error;
        PyTuple_SET_ITEM(args, n_own + i, value);
    }
    Py_XDECREF(converters);
    *out = args;
    return 1;
error:
    Py_XDECREF(converters);
    Py_DECREF(args);
    return done;
}

/* Whether the path's texts suit a route that is right otherwise. They are converted here, and not
 * when all is decided, so that what does not suit one route is looked for in the next. */
static int
accept(walk *w, const route *it, uint32_t n_rest)
{
    bool call = Py_TYPE(it->answer) == w->ask->state->handler_type;
    gr_handler *handler = (gr_handler *)it->answer;
    gr_endpoint *endpoint = (gr_endpoint *)(call ? handler->endpoint : it->guard);
    w->found = it;
    if (endpoint == NULL || endpoint->converters == NULL || w->n_parameters + n_rest == 0)
        return 1;
    PyObject *own = call ? handler->args : w->ask->state->empty_args;
    return make_args(w, endpoint, own, n_rest, &w->args);
}

/* 1: the node has a route for this method and these arguments. 0: no. -1: an exception. A route
 * for just this method that the arguments do not suit is not replaced by one for any method: the
 * path leads nowhere then, instead of to a "405, but GET is allowed". */
static int
choose(walk *w, const gr_node *node, uint32_t n_rest)
{
    const route *any = NULL;
    for (uint32_t i = 0; i < node->count; i++) {
        const route *it = &w->table->routes[node->first + i];
        if (n_rest < it->low || n_rest > it->high)
            continue;
        if (it->method == NULL) {
            any = it;
            continue;
        }
        if (gr_ask_method(w->ask) == NULL)
            return -1;
        if (it->method == w->ask->method || PyUnicode_Compare(it->method, w->ask->method) == 0)
            return accept(w, it, n_rest);
    }
    return any == NULL ? 0 : accept(w, any, n_rest);
}

static bool
takes_more(const walk *w, const gr_node *node)
{
    for (uint32_t i = 0; i < node->count; i++) {
        if (w->table->routes[node->first + i].high > 0)
            return true;
    }
    return false;
}

/* How many segments follow; 0 if one of them is empty, which no argument may be. */
static uint32_t
count_rest(const walk *w, const char *at)
{
    uint32_t n = 0;
    while (at < w->end) {
        const char *stop = memchr(at, '/', (size_t)(w->end - at));
        if (stop == at)
            return 0;
        n++;
        if (stop == NULL)
            return n;
        at = stop + 1;
    }
    return w->table->loose_slash ? n : 0; /* the path ends with a slash */
}

/* Tries `node` for what is left of the path: `at` is where the next segment begins, NULL if there
 * is none. The depth is bounded by the tree's, and no node is visited twice. */
static int
try_node(walk *w, uint32_t number, const char *at)
{
    const gr_node *node = &w->table->tree.nodes[number];
    if (at == w->end && w->table->loose_slash)
        at = NULL;
    if (at == NULL)
        return choose(w, node, 0);

    const char *stop;
    uint32_t child = gr_tree_step(&w->table->tree, number, at, w->end, &stop);
    const char *next = stop < w->end ? stop + 1 : NULL;
    if (child != GR_TREE_NONE) {
        int done = try_node(w, child, next);
        if (done != 0)
            return done;
    }
    if (node->parameter != GR_TREE_NONE && stop > at) {
        w->parameters[w->n_parameters++] = (span){at, stop - at};
        int done = try_node(w, node->parameter, next);
        if (done != 0)
            return done;
        w->n_parameters--;
    }
    if (!takes_more(w, node))
        return 0;
    uint32_t n = count_rest(w, at);
    if (n == 0)
        return 0;
    w->rest = at;
    w->n_rest = n;
    int done = choose(w, node, n);
    if (done == 0)
        w->n_rest = 0;
    return done;
}

int
gr_table_match(PyObject *table, gr_ask *ask, const char *path, Py_ssize_t n, PyObject **result)
{
    walk w;
    w.table = (const table_object *)table;
    w.ask = ask;
    w.end = path + n;
    w.ascii = ask->ascii;
    w.found = NULL;
    w.rest = NULL;
    w.n_rest = 0;
    w.n_parameters = 0;
    w.args = NULL;
    int done = try_node(&w, GR_TREE_ROOT, path + 1);
    if (done <= 0)
        return done;
    PyObject *answer = w.found->answer;
    ask->soft = Py_TYPE(answer) != ask->state->handler_type;
    if (w.n_parameters + w.n_rest == 0 || Py_TYPE(answer) != ask->state->handler_type) {
        Py_XDECREF(w.args); /* a guard's */
        *result = Py_NewRef(answer);
        return 1;
    }
    gr_handler *model = (gr_handler *)answer;
    if (w.args == NULL &&
        make_args(&w, (gr_endpoint *)model->endpoint, model->args, w.n_rest, &w.args) < 0)
        return -1;
    *result = gr_handler_new(ask->state, model->endpoint, w.args);
    return *result == NULL ? -1 : 1;
}

PyObject *
gr_table_deepest(PyObject *table, const char *path, Py_ssize_t n, Py_ssize_t *used)
{
    const table_object *self = (const table_object *)table;
    const char *end = path + n, *at = path;
    PyObject *answer = NULL;
    uint32_t number = GR_TREE_ROOT;
    for (;;) {
        const gr_node *node = &self->tree.nodes[number];
        if (node->count > 0) {
            answer = self->routes[node->first].answer;
            *used = at - path;
        }
        if (at == end || self->tree.n_edges == 0)
            return answer;
        number = gr_tree_step(&self->tree, number, at + 1, end, &at);
        if (number == GR_TREE_NONE)
            return answer;
    }
}

/* ---- building --------------------------------------------------------------------------------
 */

/* The node of a sequence of segments, a str or None (a parameter) each. */
static uint32_t
add_path(gr_tree *tree, PyObject *segments)
{
    uint32_t node = GR_TREE_ROOT;
    Py_ssize_t depth = PyTuple_GET_SIZE(segments);
    if (depth > GR_TREE_DEPTH) {
        PyErr_Format(PyExc_ValueError, "a route has at most %d segments, not %zd", GR_TREE_DEPTH,
                     depth);
        return GR_TREE_NONE;
    }
    for (Py_ssize_t i = 0; i < depth; i++) {
        PyObject *segment = PyTuple_GET_ITEM(segments, i);
        if (segment == Py_None) {
            node = gr_tree_add_parameter(tree, node);
        } else {
            Py_ssize_t n;
            const char *text = PyUnicode_AsUTF8AndSize(segment, &n);
            if (text == NULL)
                return GR_TREE_NONE;
            if (memchr(text, '/', (size_t)n) != NULL) {
                PyErr_SetString(PyExc_ValueError, "a segment has no slash");
                return GR_TREE_NONE;
            }
            node = gr_tree_add(tree, node, text, (size_t)n);
        }
        if (node == GR_TREE_NONE) {
            PyErr_NoMemory();
            return GR_TREE_NONE;
        }
    }
    return node;
}

typedef struct {
    uint32_t node;
    route route;
} placed;

/* One (segments, method, answer, low, high[, guard]); the references stay borrowed. */
static int
read_route(gr_state *state, table_object *self, PyObject *item, placed *out)
{
    PyObject *segments, *method, *guard = Py_None;
    Py_ssize_t low, high;
    if (!PyTuple_Check(item)) {
        PyErr_SetString(PyExc_TypeError, "a route must be a tuple");
        return -1;
    }
    if (!PyArg_ParseTuple(item, "O!OOnn|O:route", &PyTuple_Type, &segments, &method,
                          &out->route.answer, &low, &high, &guard))
        return -1;
    if (guard != Py_None && Py_TYPE(guard) != state->endpoint_type) {
        PyErr_SetString(PyExc_TypeError, "a route's guard must be an Endpoint or None");
        return -1;
    }
    if (method != Py_None && !PyUnicode_Check(method)) {
        PyErr_SetString(PyExc_TypeError, "a route's method must be a str or None");
        return -1;
    }
    if (low < 0 || low > INT32_MAX || high < -1 || high > INT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "a route's numbers of arguments are out of range");
        return -1;
    }
    out->route.method = method == Py_None ? NULL : method;
    out->route.guard = guard == Py_None ? NULL : guard;
    out->route.low = (uint32_t)low;
    out->route.high = high < 0 ? UINT32_MAX : (uint32_t)high;
    out->node = add_path(&self->tree, segments);
    return PyErr_Occurred() ? -1 : 0;
}

/* Puts the routes behind one another by node, in the order given within each. */
static void
place(table_object *self, const placed *all, Py_ssize_t n)
{
    gr_node *nodes = self->tree.nodes;
    uint32_t next = 0;
    for (Py_ssize_t i = 0; i < n; i++)
        nodes[all[i].node].count++;
    for (uint32_t k = 0; k < self->tree.n_nodes; k++) {
        nodes[k].first = next;
        next += nodes[k].count;
        nodes[k].count = 0;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        gr_node *node = &nodes[all[i].node];
        route *to = &self->routes[node->first + node->count++];
        *to = all[i].route;
        Py_XINCREF(to->method);
        Py_XINCREF(to->guard);
        Py_INCREF(to->answer);
    }
    self->n_routes = n;
}

static int
build(gr_state *state, table_object *self, PyObject *items)
{
    Py_ssize_t n = PyTuple_GET_SIZE(items);
    placed *all = PyMem_Calloc(n > 0 ? (size_t)n : 1, sizeof *all);
    self->routes = PyMem_Calloc(n > 0 ? (size_t)n : 1, sizeof *self->routes);
    if (all == NULL || self->routes == NULL || n > INT32_MAX) {
        PyMem_Free(all);
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        if (read_route(state, self, PyTuple_GET_ITEM(items, i), &all[i]) < 0) {
            PyMem_Free(all);
            return -1;
        }
    }
    place(self, all, n);
    PyMem_Free(all);
    return 0;
}

static PyObject *
table_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"routes", "fold", "loose_slash", NULL};
    PyObject *given, *items = NULL;
    int fold = 0, loose_slash = 0;
    gr_state *state = gr_state_by(type);
    if (state == NULL || !PyArg_ParseTupleAndKeywords(args, kwargs, "O|$pp:Table", names, &given,
                                                      &fold, &loose_slash))
        return NULL;
    table_object *self = (table_object *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->loose_slash = loose_slash;
    if (gr_tree_init(&self->tree, fold) < 0) {
        PyErr_NoMemory();
        goto error;
    }
    items = PySequence_Tuple(given);
    if (items == NULL || build(state, self, items) < 0)
        goto error;
    Py_DECREF(items);
    return (PyObject *)self;
error:
    Py_XDECREF(items);
    Py_DECREF(self);
    return NULL;
}

static int
table_traverse(table_object *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    for (Py_ssize_t i = 0; i < self->n_routes; i++) {
        Py_VISIT(self->routes[i].answer);
        Py_VISIT(self->routes[i].guard);
    }
    return 0;
}

/* The routes go as a whole: their number is zero before the first reference is given up. */
static int
table_clear(table_object *self)
{
    Py_ssize_t n = self->n_routes;
    self->n_routes = 0;
    for (uint32_t k = 0; k < self->tree.n_nodes; k++)
        self->tree.nodes[k].count = 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        Py_CLEAR(self->routes[i].method);
        Py_CLEAR(self->routes[i].answer);
        Py_CLEAR(self->routes[i].guard);
    }
    return 0;
}

static void
table_dealloc(table_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)table_clear(self);
    PyMem_Free(self->routes);
    gr_tree_free(&self->tree);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *
table_match(PyObject *self, PyObject *args)
{
    PyObject *method, *path, *result = NULL;
    if (!PyArg_ParseTuple(args, "UU:match", &method, &path))
        return NULL;
    gr_state *state = gr_state_by(Py_TYPE(self));
    if (state == NULL)
        return NULL;
    Py_ssize_t n;
    const char *bytes = PyUnicode_AsUTF8AndSize(path, &n);
    if (bytes == NULL && !PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
        return NULL;
    PyErr_Clear();
    if (bytes == NULL || n == 0 || bytes[0] != '/')
        Py_RETURN_NONE;
    gr_ask ask = {state, NULL, method, PyUnicode_IS_ASCII(path)};
    int done = gr_table_match(self, &ask, bytes, n, &result);
    if (done < 0)
        return NULL;
    return done == 0 ? Py_NewRef(Py_None) : result;
}

PyDoc_STRVAR(match_doc, "match($self, method, path, /)\n--\n\n"
                        "The answer of the route that a method and a path lead to, or None.");

static PyMethodDef table_methods[] = {
    {"match", table_match, METH_VARARGS, match_doc},
    {NULL},
};

PyDoc_STRVAR(
    table_doc,
    "Table(routes, *, fold=False, loose_slash=False)\n--\n\n"
    "Routes as (segments, method, answer, low, high[, guard]): the segments are a tuple of str, "
    "or\n"
    "None for a parameter; the method a str, or None for any; a path may go on with low\n"
    "to high further segments (high -1: any number). A text goes before a parameter, a\n"
    "longer way before a shorter one, a named method before any. If the answer is a\n"
    "Handler, parameters and further segments become its arguments, by the converters of its\n"
    "endpoint; what these refuse is not the route's. guard: an endpoint whose converters must\n"
    "take the path's texts although the answer does not need them.\n"
    "fold: '-' in a path stands for '_' in a name. loose_slash: a slash at the end of a\n"
    "path does not count.");

static PyType_Slot table_slots[] = {
    {Py_tp_doc, (void *)table_doc},
    {Py_tp_new, table_new},
    {Py_tp_dealloc, table_dealloc},
    {Py_tp_traverse, table_traverse},
    {Py_tp_clear, table_clear},
    {Py_tp_methods, table_methods},
    {0, NULL},
};

static PyType_Spec table_spec = {
    .name = "guava_router._core.Table",
    .basicsize = sizeof(table_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = table_slots,
};

int
gr_table_register(PyObject *module)
{
    gr_state *state = gr_state_of(module);
    state->table_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &table_spec, NULL);
    return state->table_type == NULL ? -1 : PyModule_AddType(module, state->table_type);
}
