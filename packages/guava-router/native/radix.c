/* radix.c: the compressed radix tree.
 *
 * It is made once from all keys in order, so that it needs no splitting and its arrays come out in
 * the order in which a walk reads them; then it is only read, from any number of threads. At every
 * place text goes before parameters and parameters go by the rank of their converters: that is the
 * whole precedence of routes, and no order of registration can change it. */
#include "radix.h"

#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#define LIMIT 0x7fffffffu
#define LABEL 255
#define CACHE_LINE ((size_t)64)
#define HUGE_PAGE ((size_t)1 << 21)

/* ---- building --------------------------------------------------------------------------------
 */

/* Memory whose parts begin with cache lines; in large pages where there are such: a big table is
 * read all over, and then much of the time of a walk goes into finding the pages. */
static void *
take_memory(size_t size)
{
    size_t unit = size < HUGE_PAGE ? CACHE_LINE : HUGE_PAGE;
    size = (size + unit - 1) / unit * unit;
    void *memory = aligned_alloc(unit, size);
#ifdef MADV_HUGEPAGE
    if (memory != NULL && unit == HUGE_PAGE)
        (void)madvise(memory, size, MADV_HUGEPAGE); /* advice: without it, it is only slower */
#endif
    return memory;
}

/* Room for n more things of one size: the index of the first, or -1. */
static int64_t
take(void **array, uint32_t *count, uint32_t *room, size_t size, size_t n)
{
    if (n > LIMIT - *count)
        return -1;
    if (n > *room - *count) {
        uint64_t more = *room < 16 ? 32 : (uint64_t)*room * 2;
        if (more < (uint64_t)*count + n)
            more = (uint64_t)*count + n;
        void *grown = take_memory(more * size);
        if (grown == NULL)
            return -1;
        if (*array != NULL)
            memcpy(grown, *array, *count * size);
        free(*array);
        *array = grown;
        *room = (uint32_t)more;
    }
    int64_t at = *count;
    memset((char *)*array + (size_t)at * size, 0, n * size);
    *count += (uint32_t)n;
    return at;
}

static int64_t
take_nodes(gr_radix *radix, size_t n)
{
    return take((void **)&radix->nodes, &radix->n_nodes, &radix->room_nodes, sizeof *radix->nodes,
                n);
}

static int64_t
take_text(gr_radix *radix, size_t n)
{
    return take((void **)&radix->texts, &radix->n_texts, &radix->room_texts, sizeof(char), n);
}

static inline const char *
label_of(const gr_radix *radix, const gr_radix_node *node)
{
    return node->n_label <= GR_RADIX_LABEL ? node->label.text : radix->texts + node->label.at;
}

static inline const char *
first_of(const gr_radix *radix, const gr_radix_node *node)
{
    return node->n_children <= GR_RADIX_FIRST ? node->first.bytes : radix->texts + node->first.at;
}

/* What can follow a parameter, as seen from behind it. */
static void
look_behind(const gr_radix *radix, gr_radix_node *node, char separator)
{
    if (node->n_label > 0) {
        node->outer = label_of(radix, node)[0] == separator;
        node->inner = !node->outer;
        return;
    }
    const char *first = first_of(radix, node);
    bool ends = node->n_children > 0 && memchr(first, separator, node->n_children) != NULL;
    node->outer = node->leaf != 0 || ends;
    node->inner = node->n_children > (ends ? 1 : 0);
}

/* What the keys lo..hi have in common behind their first `depth` bytes, up to a parameter. */
static uint32_t
common_text(const gr_radix_key *low, const gr_radix_key *high, uint32_t depth)
{
    uint32_t n = 0;
    while (n < LABEL && depth + n < low->n && depth + n < high->n &&
           low->text[depth + n] == high->text[depth + n] && low->text[depth + n] != GR_RADIX_MARK)
        n++;
    return n;
}

static int
put_label(gr_radix *radix, uint32_t me, const char *text, uint32_t n)
{
    radix->nodes[me].n_label = (uint8_t)n;
    if (n <= GR_RADIX_LABEL) {
        memcpy(radix->nodes[me].label.text, text, n);
        return 0;
    }
    int64_t at = take_text(radix, n);
    if (at < 0)
        return -1;
    memcpy(radix->texts + at, text, n);
    radix->nodes[me].label.at = (uint32_t)at;
    return 0;
}

/* The end of the keys from lo on that have the same byte at `depth`. */
static uint32_t
end_of_group(const gr_radix_key *keys, uint32_t lo, uint32_t hi, uint32_t depth)
{
    uint32_t stop = lo + 1;
    while (stop < hi && keys[stop].text[depth] == keys[lo].text[depth])
        stop++;
    return stop;
}

static uint32_t
count_groups(const gr_radix_key *keys, uint32_t lo, uint32_t hi, uint32_t depth)
{
    uint32_t n = 0;
    for (; lo < hi; n++)
        lo = end_of_group(keys, lo, hi, depth);
    return n;
}

static int build(gr_radix *radix, const gr_radix_key *keys, uint32_t lo, uint32_t hi,
                 uint32_t depth, uint32_t me, char separator);

static int
build_parameters(gr_radix *radix, const gr_radix_key *keys, uint32_t lo, uint32_t hi,
                 uint32_t depth, uint32_t me, char separator)
{
    uint32_t n = count_groups(keys, lo, hi, depth + 1);
    int64_t at = take_nodes(radix, n);
    if (at < 0)
        return -1;
    radix->nodes[me].parameters = (uint32_t)at;
    radix->nodes[me].n_parameters = (uint8_t)n;
    for (; lo < hi; at++) {
        uint32_t stop = end_of_group(keys, lo, hi, depth + 1);
        if (build(radix, keys, lo, stop, depth + 2, (uint32_t)at, separator) < 0)
            return -1;
        radix->nodes[at].converter = (uint8_t)keys[lo].text[depth + 1];
        look_behind(radix, &radix->nodes[at], separator);
        lo = stop;
    }
    return 0;
}

static int
build_children(gr_radix *radix, const gr_radix_key *keys, uint32_t lo, uint32_t hi, uint32_t depth,
               uint32_t me, char separator)
{
    uint32_t n = count_groups(keys, lo, hi, depth);
    int64_t at = take_nodes(radix, n), text = n > GR_RADIX_FIRST ? take_text(radix, n) : 0;
    if (at < 0 || text < 0)
        return -1;
    gr_radix_node *node = &radix->nodes[me];
    node->children = (uint32_t)at;
    node->n_children = (uint8_t)n;
    char *first = n > GR_RADIX_FIRST ? radix->texts + text : node->first.bytes;
    if (n > GR_RADIX_FIRST)
        node->first.at = (uint32_t)text;
    for (uint32_t i = lo; i < hi; i = end_of_group(keys, i, hi, depth))
        *first++ = keys[i].text[depth];
    for (; lo < hi; at++) {
        uint32_t stop = end_of_group(keys, lo, hi, depth);
        if (build(radix, keys, lo, stop, depth + 1, (uint32_t)at, separator) < 0)
            return -1;
        lo = stop;
    }
    return 0;
}

/* The keys lo..hi have their first `depth` bytes in common: the node `me` is what follows. */
static int
build(gr_radix *radix, const gr_radix_key *keys, uint32_t lo, uint32_t hi, uint32_t depth,
      uint32_t me, char separator)
{
    uint32_t n = common_text(&keys[lo], &keys[hi - 1], depth);
    if (put_label(radix, me, keys[lo].text + depth, n) < 0)
        return -1;
    depth += n;
    if (keys[lo].n == depth)
        radix->nodes[me].leaf = keys[lo++].leaf;
    uint32_t middle = lo; /* where the keys that go on with text begin: a mark is before it */
    while (middle < hi && keys[middle].text[depth] == GR_RADIX_MARK)
        middle++;
    if (middle > lo && build_parameters(radix, keys, lo, middle, depth, me, separator) < 0)
        return -1;
    return middle == hi ? 0 : build_children(radix, keys, middle, hi, depth, me, separator);
}

int
gr_radix_build(gr_radix *radix, const gr_radix_key *keys, uint32_t n, char separator,
               uint32_t *root)
{
    int64_t at = take_nodes(radix, 1);
    if (at < 0)
        return -1;
    *root = (uint32_t)at;
    return n == 0 ? 0 : build(radix, keys, 0, n, 0, *root, separator);
}

void
gr_radix_free(gr_radix *radix)
{
    free(radix->nodes);
    free(radix->texts);
    memset(radix, 0, sizeof *radix);
}

size_t
gr_radix_bytes(const gr_radix *radix)
{
    return radix->room_nodes * sizeof *radix->nodes + radix->room_texts;
}

/* ---- walking ---------------------------------------------------------------------------------
 */

static int step(gr_radix_walk *w, uint32_t number, const char *at);

static inline bool
starts_with(const char *at, const char *end, const char *label, size_t n)
{
    if ((size_t)(end - at) < n)
        return false;
    if (n > 8)
        return memcmp(at, label, n) == 0;
    for (size_t i = 0; i < n; i++) {
        if (at[i] != label[i])
            return false;
    }
    return true;
}

/* The child whose text begins with this byte, or 0: no child is a root. */
static inline uint32_t
child_of(const gr_radix *radix, const gr_radix_node *node, char byte)
{
    uint32_t n = node->n_children;
    const char *first = first_of(radix, node);
    if (n <= 4) {
        for (uint32_t i = 0; i < n; i++) {
            if (first[i] == byte)
                return node->children + i;
        }
        return 0;
    }
    const char *found = memchr(first, byte, n);
    return found == NULL ? 0 : node->children + (uint32_t)(found - first);
}

/* Whether the text behind a parameter can go on with this byte. */
static inline bool
goes_on(const gr_radix *radix, const gr_radix_node *node, char byte)
{
    if (node->n_label > 0)
        return label_of(radix, node)[0] == byte;
    return child_of(radix, node, byte) != 0;
}

/* Takes at..stop as a parameter and goes on behind it. */
static int
try_span(gr_radix_walk *w, const gr_radix_node *edge, const char *at, const char *stop)
{
    gr_radix_span span = {at, (size_t)(stop - at), NULL, edge->converter};
    if (w->n_spans == GR_RADIX_SPANS || w->budget == 0)
        return 0;
    w->budget--;
    bool own = edge->converter >= GR_CONVERTER_OWN && edge->converter < GR_CONVERTER_STR;
    int done = own ? w->convert(w, edge->converter, at, span.n, &span.value)
                   : gr_text_suits(edge->converter, at, span.n);
    if (done <= 0)
        return done;
    w->spans[w->n_spans++] = span;
    done = step(w, (uint32_t)(edge - w->radix->nodes), stop);
    if (done != 1) {
        w->n_spans--;
        if (span.value != NULL)
            w->drop(span.value);
    }
    return done;
}

static int
try_edge(gr_radix_walk *w, const gr_radix_node *edge, const char *at)
{
    if (edge->converter == GR_CONVERTER_PATH)
        return try_span(w, edge, at, w->end);
    const char *stop = at;
    while (stop < w->end && *stop != w->separator)
        stop++;
    if (stop == at)
        return 0;
    if (edge->inner) {
        for (const char *p = stop - 1; p > at; p--) {
            if (!goes_on(w->radix, edge, *p))
                continue;
            int done = try_span(w, edge, at, p);
            if (done != 0)
                return done;
        }
    }
    return edge->outer ? try_span(w, edge, at, stop) : 0;
}

/* Notes that with a separator more at the end the text would have led to a leaf. */
static void
note_missing(gr_radix_walk *w, const gr_radix_node *node)
{
    uint32_t child = child_of(w->radix, node, w->separator);
    if (child != 0 && w->radix->nodes[child].n_label == 0 && w->radix->nodes[child].leaf != 0)
        w->nearly = true;
}

static inline bool
lacks_separator(const gr_radix_walk *w, const gr_radix_node *node, const char *label,
                const char *at)
{
    size_t n = (size_t)(w->end - at);
    return node->leaf != 0 && n + 1 == node->n_label && label[n] == w->separator &&
           starts_with(at, w->end, label, n);
}

static int
step(gr_radix_walk *w, uint32_t number, const char *at)
{
    const gr_radix *radix = w->radix;
    for (;;) {
        const gr_radix_node *node = &radix->nodes[number];
        const char *label = label_of(radix, node);
        if (!starts_with(at, w->end, label, node->n_label)) {
            if (lacks_separator(w, node, label, at))
                w->nearly = true;
            return 0;
        }
        at += node->n_label;
        if (at == w->end) {
            int done = node->leaf == 0 ? 0 : w->leaf(w, node->leaf);
            if (done == 0)
                note_missing(w, node);
            return done;
        }
        if (node->leaf != 0 && *at == w->separator && at + 1 == w->end)
            w->nearly = true;
        uint32_t child = child_of(radix, node, *at);
        if (node->n_parameters == 0) {
            if (child == 0)
                return 0;
            number = child;
            at++;
            continue;
        }
        if (child != 0) {
            int done = step(w, child, at + 1);
            if (done != 0)
                return done;
        }
        for (uint32_t i = 0; i < node->n_parameters; i++) {
            int done = try_edge(w, &radix->nodes[node->parameters + i], at);
            if (done != 0)
                return done;
        }
        return 0;
    }
}

int
gr_radix_find(gr_radix_walk *w, uint32_t root, const char *text)
{
    return step(w, root, text);
}
