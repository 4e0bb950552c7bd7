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
#define GR_RADIX_LABEL 20
#define GR_RADIX_FIRST 24

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

/* A cache line: where there are many routes a walk costs the lines that it has to fetch, so that a
 * node has all that is asked of it within itself, its label and the first bytes of its children
 * too if they are not very many, and a parameter lies in the node behind it. */
typedef struct {
    uint32_t children;   /* the first; they lie side by side, in the order of their first bytes */
    uint32_t parameters; /* the first; they lie side by side, in the order of their converters */
    uint32_t leaf;       /* what ends here, the owner's number, or 0 */
    uint8_t n_label, n_children, n_parameters;
    uint8_t converter; /* of the parameter that leads here, or 0 */
    bool inner;        /* behind it, text can follow in the same segment */
    bool outer;        /* behind it, the segment can end */
    union {
        char text[GR_RADIX_LABEL]; /* without the first byte, which the parent has */
        uint32_t at;               /* in texts, if it is longer */
    } label;
    union {
        char bytes[GR_RADIX_FIRST];
        uint32_t at;
    } first;
} gr_radix_node;

typedef struct {
    gr_radix_node *nodes;
    char *texts;
    uint32_t n_nodes, room_nodes;
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
