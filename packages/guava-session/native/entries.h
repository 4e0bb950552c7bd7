/* entries.h: the structure below the memory store, without its Python face. Three views of the
 * same entries: a hash table to find one, a list in order of use to know whom to evict, a heap in
 * order of expiry to know who is due. Nothing ever walks all of them except to free them or to
 * grow the hash table.
 *
 * Ownership: an entry belongs to the structure from gs_entries_insert() to gs_entries_remove();
 * it owns one reference to its value. Dropping a value may run a weak reference's callback, so it
 * comes last: whoever calls back finds everything in order. */
#ifndef GUAVA_SESSION_ENTRIES_H
#define GUAVA_SESSION_ENTRIES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

typedef struct gs_entry gs_entry;
struct gs_entry {
    gs_entry *newer, *older; /* in order of use */
    PyObject *value;         /* owned: bytes, or a kept copy of a dict, see values.h */
    size_t value_cost;       /* bytes of memory */
    uint64_t hash;
    int64_t expires;   /* nanoseconds on the table's clock */
    int64_t due;       /* when the heap looks at it: never later than expires */
    uint32_t place;    /* its index in the heap */
    uint32_t key_size; /* bytes */
    char key[];
};

typedef struct {
    gs_entry **slots; /* open addressing, a power of two of them; NULL before the first insert */
    size_t mask;
    gs_entry **heap; /* the entry that is due first at index 0 */
    size_t heap_room;
    size_t used;
    size_t bytes; /* what the entries cost, see gs_entries_cost() */
    gs_entry *newest, *oldest;
} gs_entries;

#define GS_KEY_MAX 256 /* bytes */

gs_entry *gs_entries_find(const gs_entries *all, const char *key, size_t size, uint64_t hash);
gs_entry *gs_entries_insert(gs_entries *all, const char *key, size_t size, uint64_t hash,
                            PyObject *value, size_t value_cost,
                            int64_t expires); /* NULL: out of memory */
void gs_entries_remove(gs_entries *all, gs_entry *entry);
void gs_entries_use(gs_entries *all, gs_entry *entry);
/* The value it had, for the caller to drop when he is done with the entry. */
PyObject *gs_entries_set_value(gs_entries *all, gs_entry *entry, PyObject *value,
                               size_t value_cost);
void gs_entries_set_expires(gs_entries *all, gs_entry *entry, int64_t expires);
/* Looks at up to `steps` entries that are due and removes the expired ones; how many it removed.
 */
size_t gs_entries_expire(gs_entries *all, int64_t now, size_t steps);
size_t gs_entries_cost(size_t key_size, size_t value_cost); /* bytes of memory */
void gs_entries_clear(gs_entries *all);

#endif
