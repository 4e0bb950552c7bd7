/* file_answer.c: what a FileResponse answers to one request: which variant of the file, whether
 * the client has it already, which ranges of it, and the fields that say so. Nothing is sent here:
 * the server carries it out. */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "core/date.h"
#include "core/field.h"
#include "types/file_response.h"
#include "types/request.h"

#define BOUNDARY 24         /* hexadecimal digits */
#define PART_OVERHEAD 160   /* of a part's head, but for its type */
#define FIELDS_OVERHEAD 512 /* all that is generated here */

/* ---- text ---------------------------------------------------------------------------------- */

#define LITERAL(out, text) put(out, text, sizeof(text) - 1)

static char *
put(char *out, const char *text, size_t n)
{
    memcpy(out, text, n);
    return out + n;
}

static char *
put_number(char *out, int64_t number)
{
    char digits[20];
    char *at = digits + sizeof(digits);
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return put(out, at, (size_t)(digits + sizeof(digits) - at));
}

static char *
put_range(char *out, const gh_range *range, int64_t size)
{
    out = LITERAL(out, "Content-Range: bytes ");
    out = put_number(out, range->start);
    *out++ = '-';
    out = put_number(out, range->stop - 1);
    *out++ = '/';
    out = put_number(out, size);
    return LITERAL(out, "\r\n");
}

/* ---- what is asked ------------------------------------------------------------------------- */

static bool
is_method(gh_slice method, const char *name, size_t n)
{
    return method.len == n && memcmp(method.base, name, n) == 0;
}

static const gh_field *
find(const gh_fields *fields, const char *name, size_t n)
{
    return fields->n == 0 ? NULL : gh_fields_find(fields, name, n);
}

/* ---- variants ------------------------------------------------------------------------------ */

typedef struct {
    const char *extension;
    gh_text coding;
} variant;

static const variant variants[] = {
    {"br", {"br", 2}},
    {"zst", {"zstd", 4}},
    {"gz", {"gzip", 4}},
};
#define VARIANTS (sizeof(variants) / sizeof(*variants))

static const variant *
variant_of(PyObject *extension)
{
    for (size_t i = 0; i < VARIANTS; i++) {
        if (PyUnicode_CompareWithASCIIString(extension, variants[i].extension) == 0)
            return &variants[i];
    }
    return NULL;
}

static bool
is_older(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* A tag of the user's own stands for one content: another coding of it has another tag. */
static void
vary_etag(const gh_file_response *self, const variant *chosen, gh_file_facts *facts)
{
    gh_text given = self->facts.etag;
    if (self->etag == NULL)
        return;
    facts->etag = (gh_text){NULL, 0};
    if (given.len + chosen->coding.len + 1 > sizeof(facts->text))
        return;
    char *out = put(facts->text, given.base, given.len - 1);
    *out++ = '-';
    out = put(out, chosen->coding.base, chosen->coding.len);
    *out++ = '"';
    facts->etag = (gh_text){facts->text, (size_t)(out - facts->text)};
}

/* Opens the variant, if it is there, is regular and is not left from an older file. */
static bool
open_variant(const gh_file_response *self, const variant *chosen, gh_file_answer *answer,
             gh_file_facts *facts)
{
    char path[4096];
    struct stat info;
    size_t n = (size_t)PyBytes_GET_SIZE(self->path);
    size_t more = strlen(chosen->extension);
    if (n + more + 2 > sizeof(path))
        return false;
    char *out = put(path, PyBytes_AS_STRING(self->path), n);
    *out++ = '.';
    *put(out, chosen->extension, more) = '\0';
    int fd = gh_file_open(path, &info);
    if (fd < 0)
        return false;
    if (is_older(&info.st_mtim, &self->modified)) {
        (void)close(fd);
        return false;
    }
    PyObject *file = gh_file_body_own(self->response.types, fd, (int64_t)info.st_size);
    if (file == NULL) {
        PyErr_Clear(); /* the file itself will do */
        return false;
    }
    Py_SETREF(answer->file, file);
    gh_file_note(self, &info, facts);
    vary_etag(self, chosen, facts);
    return true;
}

/* The variant that is sent, or NULL: of those that the client takes at least as gladly as the file
 * itself, the one it likes best; among equals the first of `precompressed`. */
static const variant *
choose_variant(const gh_file_response *self, const gh_fields *fields, gh_file_answer *answer,
               gh_file_facts *facts)
{
    bool tried[VARIANTS] = {false};
    if (find(fields, "accept-encoding", 15) == NULL)
        return NULL;
    PyObject *accept = gh_fields_get(fields, (gh_text){"accept-encoding", 15});
    gh_text text;
    if (accept == NULL || gh_latin1_text(accept, "Accept-Encoding", &text) < 0) {
        PyErr_Clear();
        Py_XDECREF(accept);
        return NULL;
    }
    const variant *chosen = NULL;
    int plain = gh_accept_weight(text, (gh_text){"identity", 8});
    /* What "*" says of everything it says of the file itself too; that alone is no preference for
     * it. No coding is called "?". */
    bool is_named = plain >= 0 && plain != gh_accept_weight(text, (gh_text){"?", 1});
    while (chosen == NULL) {
        int best = is_named && plain > 0 ? plain - 1 : 0;
        const variant *next = NULL;
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self->codings); i++) {
            const variant *v = variant_of(PyTuple_GET_ITEM(self->codings, i));
            int weight = v == NULL || tried[v - variants] ? 0 : gh_accept_weight(text, v->coding);
            if (weight > best) {
                best = weight;
                next = v;
            }
        }
        if (next == NULL)
            break;
        tried[next - variants] = true;
        if (open_variant(self, next, answer, facts))
            chosen = next;
    }
    Py_DECREF(accept);
    return chosen;
}

/* ---- the fields ---------------------------------------------------------------------------- */

/* The response's own fields, without Content-Type where the answer has another or none. */
static char *
put_own(char *out, const gh_reply *reply, const gh_fields *own, bool without_type)
{
    if (reply->fields_len == 0)
        return out;
    if (!without_type || find(own, "content-type", 12) == NULL)
        return put(out, reply->fields, reply->fields_len);
    const char *end = reply->fields + reply->fields_len;
    for (const char *line = reply->fields; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t n = stop == NULL ? (size_t)(end - line) : (size_t)(stop - line) + 1;
        if (n < 13 || line[12] != ':' || !gh_same_name(line, 12, "content-type", 12))
            out = put(out, line, n);
        line += n;
    }
    return out;
}

typedef struct {
    const gh_fields *own; /* of the response */
    const gh_file_facts *facts;
    const variant *chosen;
    bool negotiated; /* there might have been a variant */
    bool readable;   /* GET or HEAD, of a response that is a 200 */
    int64_t now;
    int64_t size;
} context;

static char *
put_validators(char *out, const context *c)
{
    const gh_file_facts *facts = c->facts;
    if (facts->etag.base != NULL && find(c->own, "etag", 4) == NULL) {
        out = LITERAL(out, "ETag: ");
        out = put(out, facts->etag.base, facts->etag.len);
        out = LITERAL(out, "\r\n");
    }
    if (facts->has_date && find(c->own, "last-modified", 13) == NULL) {
        char date[GH_DATE_SIZE];
        /* A time to come is not told (RFC 9110, 8.8.2.1). */
        if (gh_date_render(facts->modified < c->now ? facts->modified : c->now, date)) {
            out = LITERAL(out, "Last-Modified: ");
            out = put(out, date, GH_DATE_SIZE);
            out = LITERAL(out, "\r\n");
        }
    }
    if (c->negotiated)
        out = LITERAL(out, "Vary: Accept-Encoding\r\n");
    return out;
}

/* All that is sent with the file, or instead of it. */
static int
put_fields(gh_reply *reply, gh_file_answer *answer, const context *c)
{
    bool plain = reply->status == 412 || reply->status == 416;
    bool without_type = plain || reply->status == 304 || answer->heads != NULL;
    size_t size = FIELDS_OVERHEAD + c->facts->etag.len + (plain ? 0 : reply->fields_len);
    char *start = answer->own;
    if (size > sizeof(answer->own)) {
        start = answer->fields = PyMem_Malloc(size);
        if (start == NULL) {
            PyErr_NoMemory();
            return -1;
        }
    }
    char *out = start;
    if (reply->status == 416) {
        out = LITERAL(out, "Content-Range: bytes */");
        out = put_number(out, c->size);
        out = LITERAL(out, "\r\n");
    }
    if (!plain) {
        out = put_validators(out, c);
        if (c->readable && reply->status != 304 && find(c->own, "accept-ranges", 13) == NULL)
            out = LITERAL(out, "Accept-Ranges: bytes\r\n");
        if (reply->status != 304 && find(c->own, "x-content-type-options", 22) == NULL)
            out = LITERAL(out, "X-Content-Type-Options: nosniff\r\n");
        if (c->chosen != NULL && reply->status != 304) {
            out = LITERAL(out, "Content-Encoding: ");
            out = put(out, c->chosen->coding.base, c->chosen->coding.len);
            out = LITERAL(out, "\r\n");
        }
        if (reply->status == 206 && answer->heads == NULL)
            out = put_range(out, &answer->ranges[0], c->size);
        out = put_own(out, reply, c->own, without_type);
    }
    reply->fields = start;
    reply->fields_len = (size_t)(out - start);
    return 0;
}

/* ---- several parts ------------------------------------------------------------------------- */

static int
make_boundary(char *boundary)
{
    unsigned char bytes[BOUNDARY / 2];
    if (getentropy(bytes, sizeof(bytes)) < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    for (size_t i = 0; i < sizeof(bytes); i++) {
        boundary[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        boundary[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    return 0;
}

/* The Content-Type of the parts: the one that the file would be sent with. */
static gh_text
part_type(const gh_reply *reply, const context *c)
{
    const gh_field *field = find(c->own, "content-type", 12);
    if (field != NULL)
        return (gh_text){field->value.base, field->value.len};
    return (gh_text){reply->type, reply->type == NULL ? 0 : reply->type_len};
}

/* Renders what stands before each range and behind the last (RFC 9110, 14.6). */
static int
put_parts(gh_reply *reply, gh_file_answer *answer, const context *c)
{
    static const char multipart[] = "multipart/byteranges; boundary=";
    char boundary[BOUNDARY];
    gh_text type = part_type(reply, c);
    size_t n = (size_t)answer->n_ranges;
    answer->heads = PyMem_Malloc((n + 2) * (PART_OVERHEAD + type.len));
    if (answer->heads == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (make_boundary(boundary) < 0)
        return -1;
    char *out = answer->heads;
    int64_t length = 0;
    for (size_t i = 0; i < n; i++) {
        out = LITERAL(out, "\r\n--");
        out = put(out, boundary, BOUNDARY);
        out = LITERAL(out, "\r\n");
        if (type.len > 0) {
            out = LITERAL(out, "Content-Type: ");
            out = put(out, type.base, type.len);
            out = LITERAL(out, "\r\n");
        }
        out = put_range(out, &answer->ranges[i], c->size);
        out = LITERAL(out, "\r\n");
        answer->ends[i] = (size_t)(out - answer->heads);
        length += answer->ranges[i].stop - answer->ranges[i].start;
    }
    out = LITERAL(out, "\r\n--");
    out = put(out, boundary, BOUNDARY);
    out = LITERAL(out, "--\r\n");
    answer->ends[n] = (size_t)(out - answer->heads);
    reply->length = length + (int64_t)answer->ends[n];
    /* Behind that, because it lives as long. */
    reply->type = out;
    out = LITERAL(out, multipart);
    out = put(out, boundary, BOUNDARY);
    reply->type_len = (size_t)(out - reply->type);
    return 0;
}

/* ---- the decision -------------------------------------------------------------------------- */

/* Which of the ranges that were asked for; n_ranges 1 is all that there is unless the status
 * says otherwise. */
static void
decide(gh_reply *reply, gh_file_answer *answer, const context *c, const gh_request *request)
{
    answer->ranges[0] = (gh_range){0, c->size};
    answer->n_ranges = 1;
    if (!c->readable)
        return;
    const gh_field *at = request->head.fields;
    uint32_t n = request->head.n_fields;
    gh_validators validators = {c->facts->etag, c->facts->has_date, c->facts->modified, c->now};
    const gh_field *etag = find(c->own, "etag", 4);
    if (etag != NULL)
        validators.etag = (gh_text){etag->value.base, etag->value.len};
    gh_condition condition = gh_conditions(at, n, &validators);
    if (condition != GH_SEND) {
        reply->status = condition == GH_FAILED ? 412 : 304;
        answer->n_ranges = 0;
        return;
    }
    gh_fields fields = {at, n};
    const gh_field *range =
        is_method(request->head.method, "GET", 3) ? find(&fields, "range", 5) : NULL;
    if (range == NULL || !gh_if_range(at, n, &validators))
        return;
    int found =
        gh_ranges_parse((gh_text){range->value.base, range->value.len}, c->size, answer->ranges);
    if (found > 0) {
        reply->status = 206;
        answer->n_ranges = found;
    } else if (found == GH_RANGES_UNSATISFIABLE) {
        reply->status = 416;
        answer->n_ranges = 0;
    } else {
        answer->ranges[0] = (gh_range){0, c->size};
    }
}

static int
negotiate(gh_file_response *self, const gh_request *request, gh_reply *reply,
          gh_file_answer *answer)
{
    static const gh_fields none = {NULL, 0};
    gh_file_facts other = self->facts;
    const gh_head *head = request == NULL ? NULL : &request->head;
    context c = {
        .own = self->response.headers == NULL ? &none : gh_headers_fields(self->response.headers),
        .facts = &self->facts,
        .negotiated = self->codings != NULL && self->path != NULL,
        .readable = head != NULL && reply->status == 200 &&
                    (is_method(head->method, "GET", 3) || is_method(head->method, "HEAD", 4)),
        .now = (int64_t)time(NULL),
    };
    if (c.negotiated && head != NULL && find(c.own, "content-encoding", 16) == NULL) {
        gh_fields fields = {head->fields, head->n_fields};
        c.chosen = choose_variant(self, &fields, answer, &other);
        if (c.chosen != NULL)
            c.facts = &other;
    }
    if (gh_file_body_get(answer->file, &answer->fd, &answer->offset, &c.size) < 0)
        return -1;
    decide(reply, answer, &c, request);
    reply->length = c.size;
    if (answer->n_ranges == 1)
        reply->length = answer->ranges[0].stop - answer->ranges[0].start;
    if (reply->status == 304)
        reply->length = -1;
    if (answer->n_ranges > 1 && put_parts(reply, answer, &c) < 0)
        return -1;
    if (put_fields(reply, answer, &c) < 0)
        return -1;
    if (reply->status == 304) {
        reply->type = NULL;
    } else if (answer->n_ranges == 0) {
        reply->type = GH_PLAIN;
        reply->type_len = sizeof(GH_PLAIN) - 1;
    }
    return 0;
}

/* ---- what the server calls ----------------------------------------------------------------- */

bool
gh_file_response_check(PyObject *module, PyObject *object)
{
    if (!PyObject_TypeCheck(object, gh_types_of(module)->file_response))
        return false;
    const gh_file_response *self = (const gh_file_response *)object;
    return self->response.body == self->file;
}

int
gh_file_response_answer(PyObject *op, PyObject *request, gh_reply *reply, gh_file_answer *answer)
{
    gh_file_response *self = (gh_file_response *)op;
    answer->file = Py_NewRef(self->file);
    answer->heads = NULL;
    answer->fields = NULL;
    if (negotiate(self, (const gh_request *)request, reply, answer) == 0)
        return 0;
    gh_file_answer_free(answer);
    return -1;
}

void
gh_file_answer_free(gh_file_answer *answer)
{
    Py_CLEAR(answer->file);
    PyMem_Free(answer->heads);
    PyMem_Free(answer->fields);
    answer->heads = answer->fields = NULL;
}
