/* tree.h: a tree of path segments in three flat arrays. Plain C: it knows no Python. */
#ifndef GUAVA_ROUTER_TREE_H
#define GUAVA_ROUTER_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GR_TREE_ROOT 0u
#define GR_TREE_NONE 0u /* the root is nobody's child */
#define GR_TREE_DEPTH 64
#define GR_TREE_FOLDED 128 /* no longer text is tried with '_' for '-' */

/* A child reached by a text. The hash covers the parent, so that one table serves all nodes. */
typedef struct {
    uint32_t hash;
    uint32_t parent;
    uint32_t child; /* GR_TREE_NONE: the slot is free */
    uint32_t text;  /* offset in texts */
    uint32_t length;
} gr_edge;

typedef struct {
    uint32_t parameter; /* the child that takes any text, or GR_TREE_NONE */
    uint32_t first;     /* the owner's values of this node: first .. first + count */
    uint32_t count;
} gr_node;

typedef struct {
    gr_node *nodes;
    uint32_t n_nodes, room_nodes;
    gr_edge *slots;
    uint32_t n_edges, mask; /* mask + 1 slots, a power of two */
    char *texts;
    uint32_t n_texts, room_texts;
    bool fold; /* '-' in a path stands for '_' in a name, and no name has a '-' */
} gr_tree;

/* 0, or -1 without memory. A tree of zeros may be freed. */
int gr_tree_init(gr_tree *tree, bool fold);
void gr_tree_free(gr_tree *tree);

/* The child of `parent` under a text without a slash, or as a parameter; made if missing.
 * GR_TREE_NONE: no memory, or more than 2^31 of something. */
uint32_t gr_tree_add(gr_tree *tree, uint32_t parent, const char *text, size_t n);
uint32_t gr_tree_add_parameter(gr_tree *tree, uint32_t parent);

/* Reads the segment at `at`: *stop is its end (a slash or `end`). Returns the child that this text
 * leads to, or GR_TREE_NONE. */
uint32_t gr_tree_step(const gr_tree *tree, uint32_t parent, const char *at, const char *end,
                      const char **stop);

#endif
