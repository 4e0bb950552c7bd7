/* accept.c: what a client prefers (RFC 9110, 12.5), for Python: parse_accept() lists it,
 * best_match(), best_language() and best_encoding() choose among what there is. An element that
 * is malformed counts as not sent. */
#include "types/parts.h"

#include <stdlib.h>
#include <string.h>

#include "core/field.h"
#include "core/params.h"

/* One element of the list. */
typedef struct {
    gh_text value;  /* "text/html", "de-CH", "gzip" */
    gh_text params; /* up to the weight */
    int weight;     /* thousandths */
    int specific;   /* 0: a wildcard for all, 1: for a type, 2: none; and 1 for each parameter */
    size_t at;      /* the place in the list */
} range;

/* ---- helpers ------------------------------------------------------------------------------- */

static int
take_field(PyObject *object, gh_text *text)
{
    *text = (gh_text){"", 0};
    if (object == NULL || object == Py_None)
        return 0;
    if (PyBytes_Check(object)) {
        *text = (gh_text){PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object)};
        return 0;
    }
    return gh_latin1_text(object, "a field value", text);
}

/* "type/subtype" or a token; -1 if it is neither, else how specific it is. */
static int
specific(gh_text value)
{
    const char *slash = memchr(value.base, '/', value.len);
    if (slash == NULL)
        return gh_is_token(value.base, value.len) ? (value.len == 1 && *value.base == '*' ? 0 : 2)
                                                  : -1;
    size_t n = (size_t)(slash - value.base);
    size_t rest = value.len - n - 1;
    if (!gh_is_token(value.base, n) || !gh_is_token(slash + 1, rest))
        return -1;
    bool any_type = n == 1 && value.base[0] == '*';
    bool any_subtype = rest == 1 && slash[1] == '*';
    return any_type ? (any_subtype ? 0 : -1) : any_subtype ? 1 : 2;
}

/* False for an element that counts as not sent. */
static bool
read_range(gh_text element, range *out)
{
    gh_text rest = element;
    gh_text name;
    gh_text value;
    bool quoted;
    out->value = gh_params_value(&rest);
    out->params = rest;
    out->weight = 1000;
    out->specific = specific(out->value);
    if (out->specific < 0)
        return false;
    while (gh_param_next(&rest, &name, &value, &quoted)) {
        if (name.len == 1 && (*name.base == 'q' || *name.base == 'Q')) {
            out->params.len = (size_t)(name.base - out->params.base);
            out->weight = quoted ? -1 : gh_weight(value);
            return out->weight >= 0;
        }
        out->specific++;
    }
    return true;
}

static bool
next_range(gh_text *rest, range *out)
{
    gh_text element;
    while (gh_list_next(rest, &element)) {
        if (read_range(element, out))
            return true;
    }
    return false;
}

/* ---- parse_accept() ------------------------------------------------------------------------ */

static int
by_preference(const void *left, const void *right)
{
    const range *a = left;
    const range *b = right;
    if (a->weight != b->weight)
        return a->weight > b->weight ? -1 : 1;
    if (a->specific != b->specific)
        return a->specific > b->specific ? -1 : 1;
    return a->at < b->at ? -1 : 1;
}

static PyObject *
range_tuple(const range *r)
{
    PyObject *name = gh_latin1(r->value.base, r->value.len);
    if (name != NULL && memchr(r->value.base, '/', r->value.len) != NULL)
        Py_SETREF(name, PyObject_CallMethod(name, "lower", NULL));
    PyObject *params = name == NULL ? NULL : gh_params_dict(r->params, false);
    return params == NULL ? (Py_XDECREF(name), NULL)
                          : Py_BuildValue("NNd", name, params, r->weight / 1000.0);
}

static PyObject *
parse_accept(PyObject *Py_UNUSED(module), PyObject *value)
{
    gh_text rest;
    if (take_field(value, &rest) < 0)
        return NULL;
    size_t n = 0;
    range one;
    for (gh_text count = rest; next_range(&count, &one);)
        n++;
    range *ranges = PyMem_Malloc((n + 1) * sizeof(range));
    if (ranges == NULL)
        return PyErr_NoMemory();
    for (size_t i = 0; i < n && next_range(&rest, &ranges[i]); i++)
        ranges[i].at = i;
    qsort(ranges, n, sizeof(range), by_preference);
    PyObject *list = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; list != NULL && i < n; i++) {
        PyObject *tuple = range_tuple(&ranges[i]);
        if (tuple == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, tuple);
    }
    PyMem_Free(ranges);
    return list;
}

/* ---- matching ------------------------------------------------------------------------------ */

static bool
same(gh_text a, gh_text b)
{
    return gh_same_name(a.base, a.len, b.base, b.len);
}

/* Each parameter of the range stands in the offer, too. */
static bool
has_params(gh_text offer, gh_text wanted)
{
    gh_text name, value, offer_name, offer_value;
    bool quoted;
    while (gh_param_next(&wanted, &name, &value, &quoted)) {
        gh_text rest = offer;
        bool found = false;
        while (!found && gh_param_next(&rest, &offer_name, &offer_value, &quoted))
            found = same(name, offer_name) && same(value, offer_value);
        if (!found)
            return false;
    }
    return true;
}

/* How well a range fits an offer: 0 not at all. */
typedef int (*fit)(const range *r, gh_text offer);

static int
fit_type(const range *r, gh_text offer)
{
    gh_text params = offer;
    gh_text type = gh_params_value(&params);
    const char *slash = memchr(r->value.base, '/', r->value.len);
    bool fits = r->value.base[0] == '*';
    if (!fits && slash != NULL && slash[1] == '*') {
        size_t n = (size_t)(slash - r->value.base) + 1;
        fits = type.len > n && gh_same_name(type.base, n, r->value.base, n);
    } else if (!fits) {
        fits = same(type, r->value);
    }
    return fits && has_params(params, r->params) ? r->specific + 1 : 0;
}

/* Basic filtering (RFC 4647, 3.3.1): "de" fits "de-CH". */
static int
fit_language(const range *r, gh_text offer)
{
    size_t n = r->value.len;
    if (r->specific == 0)
        return 1;
    if (offer.len < n || !gh_same_name(offer.base, n, r->value.base, n) ||
        (offer.len > n && offer.base[n] != '-'))
        return 0;
    return n > INT_MAX - 2 ? INT_MAX : (int)n + 1;
}

/* "x-gzip" is an old name of "gzip" (RFC 9110, 8.4.1.3). */
static int
fit_encoding(const range *r, gh_text offer)
{
    gh_text name = r->value;
    if (r->specific == 0)
        return 1;
    if (name.len == 6 && gh_same_name(name.base, 2, "x-", 2) &&
        gh_same_name(name.base + 2, 4, "gzip", 4))
        name = (gh_text){name.base + 2, 4};
    return same(name, offer) ? 2 : 0;
}

typedef struct {
    int weight; /* -1: nothing fits */
    int fits;
    size_t at; /* the place of what fits */
} verdict;

/* What the range that fits an offer best says of it; of equals the first one. */
static verdict
judge(gh_text rest, gh_text offer, fit fits)
{
    verdict v = {.weight = -1};
    range r;
    for (size_t at = 0; next_range(&rest, &r); at++) {
        int n = fits(&r, offer);
        if (n > v.fits)
            v = (verdict){r.weight, n, at};
    }
    return v;
}

static bool
is_better(verdict a, verdict b, bool by_place)
{
    if (a.weight != b.weight)
        return a.weight > b.weight;
    if ((a.fits == 1) != (b.fits == 1))
        return a.fits != 1; /* what is named comes before what only a wildcard covers */
    return by_place && a.at < b.at;
}

int
gh_accept_weight(gh_text field, gh_text coding)
{
    return judge(field, coding, fit_encoding).weight;
}

/* ---- choosing ------------------------------------------------------------------------------ */

typedef struct {
    gh_text field;
    PyObject *offers; /* a list or a tuple of our own: a reference */
    bool given;       /* there is a field, and an element in it that is well-formed */
} question;

static const char *const question_names[] = {"accept", "offers", "default"};

static int
take_offers(question *q, PyObject *offers)
{
    gh_text text;
    if (PyUnicode_Check(offers) || PyBytes_Check(offers)) {
        PyErr_Format(PyExc_TypeError, "offers must be a sequence of str, not %.200s",
                     Py_TYPE(offers)->tp_name);
        return -1;
    }
    q->offers = PySequence_Tuple(offers);
    if (q->offers == NULL)
        return -1;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(q->offers); i++) {
        if (gh_latin1_text(PyTuple_GET_ITEM(q->offers, i), "an offer", &text) < 0) {
            Py_CLEAR(q->offers);
            return -1;
        }
    }
    return 0;
}

/* values: accept, offers, and whatever the caller has further. */
static int
take_question(question *q, PyObject *const *values)
{
    range first;
    if (take_field(values[0], &q->field) < 0 || take_offers(q, values[1]) < 0)
        return -1;
    gh_text rest = q->field;
    q->given = next_range(&rest, &first);
    return 0;
}

static gh_text
offer_text(const question *q, Py_ssize_t i)
{
    PyObject *offer = PyTuple_GET_ITEM(q->offers, i);
    return (gh_text){PyUnicode_DATA(offer), (size_t)PyUnicode_GET_LENGTH(offer)};
}

/* The index of the best offer, -1 if none is acceptable. */
static Py_ssize_t
choose(const question *q, fit fits, bool by_place, verdict *out)
{
    Py_ssize_t best = -1;
    *out = (verdict){.weight = 0};
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(q->offers); i++) {
        verdict v = judge(q->field, offer_text(q, i), fits);
        if (v.weight > 0 && (best < 0 || is_better(v, *out, by_place))) {
            best = i;
            *out = v;
        }
    }
    return best;
}

static PyObject *
answer(question *q, Py_ssize_t best, PyObject *otherwise)
{
    PyObject *result = best < 0 ? otherwise : PyTuple_GET_ITEM(q->offers, best);
    if (result == NULL)
        result = Py_None;
    Py_INCREF(result);
    Py_DECREF(q->offers);
    return result;
}

/* Lookup (RFC 4647, 3.4): "de" serves those who ask for "de-CH". What the field says of an offer
 * by its name has been heard before. */
static verdict
judge_longer(gh_text rest, gh_text offer)
{
    verdict v = {.weight = 0};
    range r;
    for (size_t at = 0; next_range(&rest, &r); at++) {
        if (fit_language(&r, offer) > 1)
            return (verdict){.weight = 0};
        if (r.weight > v.weight && r.value.len > offer.len && r.value.base[offer.len] == '-' &&
            gh_same_name(offer.base, offer.len, r.value.base, offer.len))
            v = (verdict){r.weight, 2, at};
    }
    return v;
}

static Py_ssize_t
look_up(const question *q, verdict *out)
{
    Py_ssize_t best = -1;
    *out = (verdict){.weight = 0};
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(q->offers); i++) {
        verdict v = judge_longer(q->field, offer_text(q, i));
        if (v.weight > 0 && (best < 0 || is_better(v, *out, true))) {
            best = i;
            *out = v;
        }
    }
    return best;
}

static Py_ssize_t
choose_language(const question *q)
{
    verdict v;
    verdict longer;
    Py_ssize_t best = choose(q, fit_language, true, &v);
    if (best >= 0 && v.fits > 1)
        return best;
    Py_ssize_t found = look_up(q, &longer);
    return found >= 0 && (best < 0 || is_better(longer, v, true)) ? found : best;
}

static Py_ssize_t
choose_type(const question *q)
{
    verdict v;
    return choose(q, fit_type, false, &v);
}

/* The first offer is as good as any to those who do not say what they want. */
static Py_ssize_t
index_of_best(PyObject *const *values, Py_ssize_t (*choice)(const question *), question *q)
{
    if (take_question(q, values) < 0)
        return -2;
    return q->given ? choice(q) : PyTuple_GET_SIZE(q->offers) > 0 ? 0 : -1;
}

static PyObject *
best_match(PyObject *module, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
    static const gh_signature sig = {"best_match", question_names, 3, 3, 2};
    PyObject *values[3];
    question q;
    if (gh_bind(&sig, args, n_args, kwnames, values) < 0)
        return NULL;
    Py_ssize_t best = index_of_best(values, choose_type, &q);
    return best == -2 ? NULL : answer(&q, best, values[2]);
}

static PyObject *
best_language(PyObject *module, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
    static const gh_signature sig = {"best_language", question_names, 3, 3, 2};
    PyObject *values[3];
    question q;
    if (gh_bind(&sig, args, n_args, kwnames, values) < 0)
        return NULL;
    Py_ssize_t best = index_of_best(values, choose_language, &q);
    return best == -2 ? NULL : answer(&q, best, values[2]);
}

Py_ssize_t
gh_choose_type(PyObject *field, PyObject *offers)
{
    question q;
    Py_ssize_t best = index_of_best((PyObject *[]){field, offers}, choose_type, &q);
    if (best != -2)
        Py_DECREF(q.offers);
    return best;
}

Py_ssize_t
gh_choose_language(PyObject *field, PyObject *offers)
{
    question q;
    Py_ssize_t best = index_of_best((PyObject *[]){field, offers}, choose_language, &q);
    if (best != -2)
        Py_DECREF(q.offers);
    return best;
}

/* Without compression is always acceptable unless it is refused, and the last resort unless it is
 * asked for (RFC 9110, 12.5.3). */
static PyObject *
best_encoding(PyObject *module, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
    static const gh_signature sig = {"best_encoding", question_names, 2, 2, 2};
    PyObject *values[2];
    question q;
    verdict v;
    if (gh_bind(&sig, args, n_args, kwnames, values) < 0 || take_question(&q, values) < 0)
        return NULL;
    Py_ssize_t best = q.given ? choose(&q, fit_encoding, false, &v) : -1;
    verdict plain = judge(q.field, (gh_text){"identity", 8}, fit_encoding);
    bool refused = q.given && plain.weight == 0;
    if (best >= 0 && (plain.fits < 2 || plain.weight <= v.weight))
        return answer(&q, best, NULL);
    Py_DECREF(q.offers);
    if (refused)
        Py_RETURN_NONE;
    return PyUnicode_InternFromString("identity");
}

/* ---- the module ---------------------------------------------------------------------------- */

#define FAST(name, doc)                                                                           \
    {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL | METH_KEYWORDS, doc}

static PyMethodDef functions[] = {
    {"parse_accept", parse_accept, METH_O,
     "parse_accept($module, value, /)\n--\n\n"
     "The elements of an Accept, Accept-Charset, Accept-Encoding or Accept-Language field\n"
     "(RFC 9110, 12.5), most wanted first: a list of (name, parameters, weight).\n\n"
     "value: str, bytes, or None for a field that was not sent. A name is a str (media types in\n"
     "lower case, others as sent), parameters a dict of str to str, a weight a float from 0 (not\n"
     "acceptable) to 1. Of equal weights the more specific comes first, then the one sent first.\n"
     "A malformed element is passed over. ValueError: a str that is not latin-1."},
    FAST(
        best_match,
        "best_match($module, accept, offers, default=None)\n--\n\n"
        "The offer that a client wants most, by its Accept or Accept-Charset field (RFC 9110,\n"
        "12.5.1): the range that fits an offer most specifically gives its weight, and of equals\n"
        "the one offered first wins.\n\n"
        "accept: str, bytes or None. offers: media types, with parameters or without, or names\n"
        "of character sets: a sequence of str. Without a field (or one with nothing well-formed\n"
        "in it) it is the first offer; when none is acceptable it is default."),
    FAST(
        best_language,
        "best_language($module, accept, offers, default=None)\n--\n\n"
        "The language that a client wants most, by its Accept-Language field (RFC 9110, 12.5.4):\n"
        "\"de\" in the field fits the offers de and de-CH (RFC 4647, 3.3.1); if nothing fits,\n"
        "\"de-CH\" in the field is served with de (3.4). Of equals the one sent first wins.\n\n"
        "accept: str, bytes or None. offers: language tags, a sequence of str. Without a field\n"
        "it is the first offer; when none is acceptable it is default."),
    FAST(best_encoding,
         "best_encoding($module, accept, offers)\n--\n\n"
         "The content coding to use, by an Accept-Encoding field (RFC 9110, 12.5.3): one of the\n"
         "offers, \"identity\" for none of them, or None when the client refuses that as well.\n\n"
         "accept: str, bytes or None (not sent: identity). offers: codings that can be made, the\n"
         "most welcome first: a sequence of str, such as (\"zstd\", \"br\", \"gzip\")."),
    {NULL},
};

int
gh_accept_register(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
