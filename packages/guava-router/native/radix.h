/* radix.h: a compressed radix tree of path patterns in flat arrays. Plain C: it knows no Python.
 */
#ifndef GUAVA_ROUTER_RADIX_H
#define GUAVA_ROUTER_RADIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In a key, a parameter is this byte and the number of its converter. No pattern holds it. */
#define GR_RADIX_MARK 1
#define GR_RADIX_SPANS 32 /* parameters of one match, those of its host included */
#define GR_RADIX_INLINE 8

/* Converters by rank: of those that can follow at one place, the smaller is tried first. */
enum {
    GR_CONVERTER_UUID = 1,
    GR_CONVERTER_DATE = 2,
    GR_CONVERTER_INT = 3,
    GR_CONVERTER_FLOAT = 4,
    GR_CONVERTER_OWN = 5, /* and up to GR_CONVERTER_STR */
    GR_CONVERTER_STR = 254,
    GR_CONVERTER_PATH = 255,
};

/* Half a cache line: with its label and its children's first bytes it is read at once. */
typedef struct {
    uint32_t children; /* the first; they lie side by side, in the order of their first bytes */
    uint32_t edges;    /* the first parameter */
    uint32_t leaf;     /* what ends here, the owner's number, or 0 */
    uint8_t n_label, n_children, n_edges;
    union {
        char text[GR_RADIX_INLINE]; /* without the first byte, which the parent has */
        uint32_t at;                /* in texts, if it is longer */
    } label;
    union {
        uint8_t bytes[GR_RADIX_INLINE];
        uint32_t at;
    } first;
} gr_radix_node;

typedef struct {
    uint32_t node;
    uint8_t converter;
    bool inner; /* text can follow in the same segment */
    bool outer; /* the segment can end */
} gr_radix_edge;

typedef struct {
    gr_radix_node *nodes;
    gr_radix_edge *edges;
    char *texts;
    uint32_t n_nodes, room_nodes;
    uint32_t n_edges, room_edges;
    uint32_t n_texts, room_texts;
} gr_radix;

typedef struct {
    const char *text;
    uint32_t n;
    uint32_t leaf; /* not 0 */
} gr_radix_key;

/* Adds a tree of keys, which must differ and be in the order of their bytes. 0 with its root, -1
 * without memory or with more than 2^31 of something. A gr_radix of zeros is empty. */
int gr_radix_build(gr_radix *radix, const gr_radix_key *keys, uint32_t n, char separator,
                   uint32_t *root);
void gr_radix_free(gr_radix *radix);
size_t gr_radix_bytes(const gr_radix *radix);

/* ---- walking ---------------------------------------------------------------------------------
 */

typedef struct {
    const char *at;
    size_t n;
    void *value; /* of an own converter */
    uint8_t converter;
} gr_radix_span;

typedef struct gr_radix_walk gr_radix_walk;

struct gr_radix_walk {
    const gr_radix *radix;
    const char *end;
    char separator;
    bool nearly; /* a slash more or less at the end, and something would have been reached */
    uint32_t n_spans;
    size_t budget; /* tries that are left, so that no path costs more than its length allows */
    /* 1: that is it. 0: look further. -1: stop. */
    int (*leaf)(gr_radix_walk *walk, uint32_t leaf);
    /* What an own converter makes of a text: 1 with its value, 0, or -1. */
    int (*convert)(gr_radix_walk *walk, uint8_t converter, const char *text, size_t n,
                   void **value);
    void (*drop)(void *value);
    gr_radix_span spans[GR_RADIX_SPANS];
};

/* Offers the leaves whose keys fit the text, the best first, until one is taken. What the last
 * leaf() returned; with 1 the spans stay, and their values are the caller's. */
int gr_radix_find(gr_radix_walk *walk, uint32_t root, const char *text);

/* Whether a text is in the form of a built-in converter; see converters.py. */
bool gr_text_suits(uint8_t converter, const char *text, size_t n);

#endif
