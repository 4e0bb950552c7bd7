/* tree.c: the segment tree.
 *
 * Why one hash table for the edges of all nodes and not a map per node or a compressed radix tree:
 * a path has few segments, and hashing a segment while its end is being looked for makes a step
 * cost its length and one probe, however many siblings there are. The whole tree is three blocks
 * of memory, written once, then only read, from any number of threads. */
#include "tree.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT 0x7fffffffu
#define MULTIPLIER UINT64_C(0x9E3779B97F4A7C15) /* 2^64 / golden ratio, odd */

/* Hashes the text up to a slash or the end, in the pass that looks for the slash. It spreads names
 * that a program chose; a client only looks them up, so it cannot make the chains longer. */
static inline uint32_t
scan(uint32_t parent, const char *at, const char *end, const char **stop)
{
    uint64_t hash = (uint64_t)(parent + 1u) * MULTIPLIER, word;
    const char *p = at;
    for (;;) {
        const char *limit = end - p > 8 ? p + 8 : end;
        word = 0;
        for (; p < limit && *p != '/'; p++)
            word = word << 8 | (unsigned char)*p;
        if (p == end || p < limit || *p == '/')
            break;
        hash = (hash ^ word) * MULTIPLIER;
        hash ^= hash >> 29;
    }
    *stop = p;
    hash = (hash ^ word ^ (uint64_t)(p - at)) * MULTIPLIER;
    return (uint32_t)(hash >> 32);
}

static inline bool
same_text(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (a[i] != b[i])
            return false;
    }
    return true;
}

static inline gr_edge *
find(const gr_tree *tree, uint32_t parent, uint32_t hash, const char *text, size_t n)
{
    for (uint32_t i = hash;; i++) {
        gr_edge *edge = &tree->slots[i & tree->mask];
        if (edge->child == GR_TREE_NONE)
            return edge;
        if (edge->hash == hash && edge->parent == parent && edge->length == n &&
            same_text(tree->texts + edge->text, text, n))
            return edge;
    }
}

int
gr_tree_init(gr_tree *tree, bool fold)
{
    memset(tree, 0, sizeof *tree);
    tree->fold = fold;
    tree->mask = 15;
    tree->room_nodes = 8;
    tree->room_texts = 64;
    tree->slots = calloc(tree->mask + 1u, sizeof *tree->slots);
    tree->nodes = calloc(tree->room_nodes, sizeof *tree->nodes);
    tree->texts = malloc(tree->room_texts);
    if (tree->slots == NULL || tree->nodes == NULL || tree->texts == NULL) {
        gr_tree_free(tree);
        return -1;
    }
    tree->n_nodes = 1; /* the root */
    return 0;
}

void
gr_tree_free(gr_tree *tree)
{
    free(tree->slots);
    free(tree->nodes);
    free(tree->texts);
    memset(tree, 0, sizeof *tree);
}

static uint32_t
new_node(gr_tree *tree)
{
    if (tree->n_nodes == tree->room_nodes) {
        uint32_t room = tree->room_nodes * 2;
        gr_node *nodes = room > LIMIT ? NULL : realloc(tree->nodes, room * sizeof *nodes);
        if (nodes == NULL)
            return GR_TREE_NONE;
        tree->nodes = nodes;
        tree->room_nodes = room;
    }
    tree->nodes[tree->n_nodes] = (gr_node){0};
    return tree->n_nodes++;
}

static int
grow_slots(gr_tree *tree)
{
    uint32_t mask = tree->mask * 2 + 1;
    gr_edge *slots = mask > LIMIT ? NULL : calloc((size_t)mask + 1, sizeof *slots);
    if (slots == NULL)
        return -1;
    for (uint32_t i = 0; i <= tree->mask; i++) {
        if (tree->slots[i].child == GR_TREE_NONE)
            continue;
        uint32_t to = tree->slots[i].hash;
        while (slots[to & mask].child != GR_TREE_NONE)
            to++;
        slots[to & mask] = tree->slots[i];
    }
    free(tree->slots);
    tree->slots = slots;
    tree->mask = mask;
    return 0;
}

static int
reserve_text(gr_tree *tree, size_t n)
{
    if (n > LIMIT - tree->n_texts)
        return -1;
    uint32_t room = tree->room_texts;
    while (room - tree->n_texts < n)
        room *= 2;
    if (room != tree->room_texts) {
        char *texts = realloc(tree->texts, room);
        if (texts == NULL)
            return -1;
        tree->texts = texts;
        tree->room_texts = room;
    }
    return 0;
}

uint32_t
gr_tree_add(gr_tree *tree, uint32_t parent, const char *text, size_t n)
{
    /* At most half of the slots are taken, so that a miss ends soon. */
    if ((tree->n_edges + 1) * 2 > tree->mask + 1 && grow_slots(tree) < 0)
        return GR_TREE_NONE;
    const char *stop;
    uint32_t hash = scan(parent, text, text + n, &stop);
    gr_edge *edge = find(tree, parent, hash, text, n);
    if (edge->child != GR_TREE_NONE)
        return edge->child;
    if (reserve_text(tree, n) < 0)
        return GR_TREE_NONE;
    uint32_t child = new_node(tree);
    if (child == GR_TREE_NONE)
        return GR_TREE_NONE;
    *edge = (gr_edge){hash, parent, child, tree->n_texts, (uint32_t)n};
    memcpy(tree->texts + tree->n_texts, text, n);
    tree->n_texts += (uint32_t)n;
    tree->n_edges++;
    return child;
}

uint32_t
gr_tree_add_parameter(gr_tree *tree, uint32_t parent)
{
    if (tree->nodes[parent].parameter == GR_TREE_NONE) {
        uint32_t child = new_node(tree);
        tree->nodes[parent].parameter = child;
    }
    return tree->nodes[parent].parameter;
}

/* A name has no dashes, so only a text with dashes can be meant by another spelling. */
static uint32_t
find_folded(const gr_tree *tree, uint32_t parent, const char *text, size_t n)
{
    char name[GR_TREE_FOLDED];
    if (n > sizeof name || memchr(text, '-', n) == NULL)
        return GR_TREE_NONE;
    for (size_t i = 0; i < n; i++)
        name[i] = (char)(text[i] == '-' ? '_' : text[i]);
    const char *stop;
    uint32_t hash = scan(parent, name, name + n, &stop);
    return find(tree, parent, hash, name, n)->child;
}

uint32_t
gr_tree_step(const gr_tree *tree, uint32_t parent, const char *at, const char *end,
             const char **stop)
{
    uint32_t hash = scan(parent, at, end, stop);
    size_t n = (size_t)(*stop - at);
    uint32_t child = find(tree, parent, hash, at, n)->child;
    if (child == GR_TREE_NONE && tree->fold)
        child = find_folded(tree, parent, at, n);
    return child;
}
