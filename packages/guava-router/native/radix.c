/* radix.c: the compressed radix tree.
 *
 * It is made once from all keys in order, so that it needs no splitting and its arrays come out in
 * the order in which a walk reads them; then it is only read, from any number of threads. At every
 * place text goes before parameters and parameters go by the rank of their converters: that is the
 * whole precedence of routes, and no order of registration can change it. */
#include "radix.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT 0x7fffffffu
#define LABEL 255

/* ---- building --------------------------------------------------------------------------------
 */

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
        void *grown = realloc(*array, more * size);
        if (grown == NULL)
            return -1;
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
take_edges(gr_radix *radix, size_t n)
{
    return take((void **)&radix->edges, &radix->n_edges, &radix->room_edges, sizeof *radix->edges,
                n);
}

/* Short text goes into the node, longer text behind one another. */
static int
put_text(gr_radix *radix, char *inside, uint32_t *at, const char *text, size_t n)
{
    if (n <= GR_RADIX_INLINE) {
        memcpy(inside, text, n);
        return 0;
    }
    int64_t place =
        take((void **)&radix->texts, &radix->n_texts, &radix->room_texts, sizeof(char), n);
    if (place < 0)
        return -1;
    memcpy(radix->texts + place, text, n);
    *at = (uint32_t)place;
    return 0;
}

static inline const char *
label_of(const gr_radix *radix, const gr_radix_node *node)
{
    return node->n_label <= GR_RADIX_INLINE ? node->label.text : radix->texts + node->label.at;
}

static inline const char *
first_of(const gr_radix *radix, const gr_radix_node *node)
{
    return node->n_children <= GR_RADIX_INLINE ? (const char *)node->first.bytes
                                               : radix->texts + node->first.at;
}

/* What can follow a parameter, as seen from behind it. */
static void
look_behind(const gr_radix *radix, gr_radix_edge *edge, char separator)
{
    const gr_radix_node *node = &radix->nodes[edge->node];
    if (node->n_label > 0) {
        edge->outer = label_of(radix, node)[0] == separator;
        edge->inner = !edge->outer;
        return;
    }
    const char *first = first_of(radix, node);
    bool ends = node->n_children > 0 && memchr(first, separator, node->n_children) != NULL;
    edge->outer = node->leaf != 0 || ends;
    edge->inner = node->n_children > (ends ? 1 : 0);
}

/* The keys lo..hi have their first `depth` bytes in common: the node `me` is what follows. */
static int
build(gr_radix *radix, const gr_radix_key *keys, uint32_t lo, uint32_t hi, uint32_t depth,
      uint32_t me, char separator)
{
    const gr_radix_key *low = &keys[lo], *high = &keys[hi - 1];
    uint32_t n = 0, n_edges = 0, n_children = 0;
    char first[256];
    while (n < LABEL && depth + n < low->n && depth + n < high->n &&
           low->text[depth + n] == high->text[depth + n] && low->text[depth + n] != GR_RADIX_MARK)
        n++;
    gr_radix_node node = {.n_label = (uint8_t)n};
    if (put_text(radix, node.label.text, &node.label.at, low->text + depth, n) < 0)
        return -1;
    depth += n;
    if (low->n == depth) {
        node.leaf = low->leaf;
        lo++;
    }
    int last = -1;
    uint32_t middle = lo; /* where the keys that go on with text begin */
    for (; middle < hi && keys[middle].text[depth] == GR_RADIX_MARK; middle++) {
        n_edges += (uint8_t)keys[middle].text[depth + 1] != last;
        last = (uint8_t)keys[middle].text[depth + 1];
    }
    last = -1;
    for (uint32_t i = middle; i < hi; i++) {
        if ((uint8_t)keys[i].text[depth] != last)
            first[n_children++] = keys[i].text[depth];
        last = (uint8_t)keys[i].text[depth];
    }
    int64_t edges = take_edges(radix, n_edges), children = take_nodes(radix, n_children);
    if (edges < 0 || children < 0)
        return -1;
    node.edges = (uint32_t)edges;
    node.children = (uint32_t)children;
    node.n_edges = (uint8_t)n_edges;
    node.n_children = (uint8_t)n_children;
    if (put_text(radix, (char *)node.first.bytes, &node.first.at, first, n_children) < 0)
        return -1;
    radix->nodes[me] = node;

    for (uint32_t k = 0; k < n_edges; k++) {
        uint8_t converter = (uint8_t)keys[lo].text[depth + 1];
        uint32_t stop = lo;
        while (stop < middle && (uint8_t)keys[stop].text[depth + 1] == converter)
            stop++;
        int64_t behind = take_nodes(radix, 1);
        if (behind < 0 || build(radix, keys, lo, stop, depth + 2, (uint32_t)behind, separator) < 0)
            return -1;
        gr_radix_edge *edge = &radix->edges[node.edges + k];
        edge->node = (uint32_t)behind;
        edge->converter = converter;
        look_behind(radix, edge, separator);
        lo = stop;
    }
    for (uint32_t k = 0; k < n_children; k++) {
        uint32_t stop = lo;
        while (stop < hi && keys[stop].text[depth] == first[k])
            stop++;
        if (build(radix, keys, lo, stop, depth + 1, node.children + k, separator) < 0)
            return -1;
        lo = stop;
    }
    return 0;
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
    free(radix->edges);
    free(radix->texts);
    memset(radix, 0, sizeof *radix);
}

size_t
gr_radix_bytes(const gr_radix *radix)
{
    return radix->room_nodes * sizeof *radix->nodes + radix->room_edges * sizeof *radix->edges +
           radix->room_texts;
}

/* ---- walking ---------------------------------------------------------------------------------
 */

static int step(gr_radix_walk *w, uint32_t number, const char *at);

static inline bool
starts_with(const char *at, const char *end, const char *label, size_t n)
{
    if ((size_t)(end - at) < n)
        return false;
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
    if (n <= GR_RADIX_INLINE) {
        for (uint32_t i = 0; i < n; i++) {
            if (node->first.bytes[i] == (uint8_t)byte)
                return node->children + i;
        }
        return 0;
    }
    const char *first = radix->texts + node->first.at, *found = memchr(first, byte, n);
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
try_span(gr_radix_walk *w, const gr_radix_edge *edge, const char *at, const char *stop)
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
    done = step(w, edge->node, stop);
    if (done != 1) {
        w->n_spans--;
        if (span.value != NULL)
            w->drop(span.value);
    }
    return done;
}

static int
try_edge(gr_radix_walk *w, const gr_radix_edge *edge, const char *at)
{
    if (edge->converter == GR_CONVERTER_PATH)
        return try_span(w, edge, at, w->end);
    const char *stop = at;
    while (stop < w->end && *stop != w->separator)
        stop++;
    if (stop == at)
        return 0;
    if (edge->inner) {
        const gr_radix_node *behind = &w->radix->nodes[edge->node];
        for (const char *p = stop - 1; p > at; p--) {
            if (!goes_on(w->radix, behind, *p))
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
        if (node->n_edges == 0) {
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
        for (uint32_t i = 0; i < node->n_edges; i++) {
            int done = try_edge(w, &radix->edges[node->edges + i], at);
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
