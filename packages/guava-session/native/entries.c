/* entries.c: the hash table, the use list and the expiry heap of the memory store.
 *
 * Expiry is lazy: an entry that is used again only gets a later `expires`; its place in the heap
 * stays until the old time comes up and is then corrected. So a touch is two stores, and because
 * sessions of one lifetime are inserted in order of expiry, an insert does not climb either. */
#include "entries.h"

#include <string.h>

#define FIRST_SLOTS 64

/* The hash table. */

static size_t
slot_of(const gs_entries *all, const gs_entry *entry)
{
    size_t slot = entry->hash & all->mask;

    while (all->slots[slot] != entry)
        slot = (slot + 1) & all->mask;
    return slot;
}

static void
slots_put(gs_entry **slots, size_t mask, gs_entry *entry)
{
    size_t slot = entry->hash & mask;

    while (slots[slot] != NULL)
        slot = (slot + 1) & mask;
    slots[slot] = entry;
}

static int
slots_grow(gs_entries *all)
{
    size_t count = all->slots == NULL ? FIRST_SLOTS : (all->mask + 1) * 2;
    gs_entry **slots = PyMem_Calloc(count, sizeof(gs_entry *));

    if (slots == NULL)
        return -1;
    for (size_t i = 0; i < all->used; i++)
        slots_put(slots, count - 1, all->heap[i]);
    PyMem_Free(all->slots);
    all->slots = slots;
    all->mask = count - 1;
    return 0;
}

static void
slots_remove(gs_entries *all, const gs_entry *entry)
{
    size_t hole = slot_of(all, entry);
    size_t slot = hole;

    /* Close the gap: whoever would no longer be found across it moves into it. */
    for (;;) {
        slot = (slot + 1) & all->mask;
        gs_entry *next = all->slots[slot];
        if (next == NULL)
            break;
        size_t home = next->hash & all->mask;
        if (((slot - home) & all->mask) >= ((slot - hole) & all->mask)) {
            all->slots[hole] = next;
            hole = slot;
        }
    }
    all->slots[hole] = NULL;
}

gs_entry *
gs_entries_find(const gs_entries *all, const char *key, size_t size, uint64_t hash)
{
    if (all->slots == NULL)
        return NULL;
    for (size_t slot = hash & all->mask;; slot = (slot + 1) & all->mask) {
        gs_entry *entry = all->slots[slot];
        if (entry == NULL)
            return NULL;
        if (entry->hash == hash && entry->key_size == size && memcmp(entry->key, key, size) == 0)
            return entry;
    }
}

/* The use list. */

static void
use_unlink(gs_entries *all, gs_entry *entry)
{
    if (entry->newer != NULL)
        entry->newer->older = entry->older;
    else
        all->newest = entry->older;
    if (entry->older != NULL)
        entry->older->newer = entry->newer;
    else
        all->oldest = entry->newer;
}

static void
use_link(gs_entries *all, gs_entry *entry)
{
    entry->newer = NULL;
    entry->older = all->newest;
    if (all->newest != NULL)
        all->newest->newer = entry;
    else
        all->oldest = entry;
    all->newest = entry;
}

void
gs_entries_use(gs_entries *all, gs_entry *entry)
{
    if (all->newest == entry)
        return;
    use_unlink(all, entry);
    use_link(all, entry);
}

/* The expiry heap. */

static void
heap_put(gs_entries *all, size_t place, gs_entry *entry)
{
    all->heap[place] = entry;
    entry->place = (uint32_t)place;
}

static void
heap_up(gs_entries *all, gs_entry *entry)
{
    size_t place = entry->place;

    while (place > 0) {
        size_t parent = (place - 1) / 2;
        if (all->heap[parent]->due <= entry->due)
            break;
        heap_put(all, place, all->heap[parent]);
        place = parent;
    }
    heap_put(all, place, entry);
}

static void
heap_down(gs_entries *all, gs_entry *entry)
{
    size_t place = entry->place;

    for (;;) {
        size_t child = place * 2 + 1;
        if (child >= all->used)
            break;
        if (child + 1 < all->used && all->heap[child + 1]->due < all->heap[child]->due)
            child++;
        if (all->heap[child]->due >= entry->due)
            break;
        heap_put(all, place, all->heap[child]);
        place = child;
    }
    heap_put(all, place, entry);
}

static int
heap_grow(gs_entries *all)
{
    size_t room = all->heap_room == 0 ? FIRST_SLOTS : all->heap_room * 2;
    gs_entry **heap = PyMem_Realloc(all->heap, room * sizeof(gs_entry *));

    if (heap == NULL)
        return -1;
    all->heap = heap;
    all->heap_room = room;
    return 0;
}

static void
heap_remove(gs_entries *all, gs_entry *entry)
{
    gs_entry *last = all->heap[--all->used];

    if (last == entry)
        return;
    heap_put(all, entry->place, last);
    heap_up(all, last);
    heap_down(all, last);
}

/* All three together. */

size_t
gs_entries_cost(size_t key_size, size_t value_cost)
{
    /* With its share of a hash table that is at most two thirds full and of the heap. */
    return sizeof(gs_entry) + key_size + 4 * sizeof(gs_entry *) + value_cost;
}

gs_entry *
gs_entries_insert(gs_entries *all, const char *key, size_t size, uint64_t hash, PyObject *value,
                  size_t value_cost, int64_t expires)
{
    gs_entry *entry;

    /* Everything that can fail comes first, so that a failure changes nothing. */
    if (all->used == UINT32_MAX)
        return NULL;
    if (all->used == all->heap_room && heap_grow(all) < 0)
        return NULL;
    if ((all->slots == NULL || (all->used + 1) * 3 > (all->mask + 1) * 2) && slots_grow(all) < 0)
        return NULL;
    entry = PyMem_Malloc(sizeof(gs_entry) + size);
    if (entry == NULL)
        return NULL;
    entry->value = Py_NewRef(value);
    entry->value_cost = value_cost;
    entry->hash = hash;
    entry->expires = entry->due = expires;
    entry->key_size = (uint32_t)size;
    memcpy(entry->key, key, size);

    slots_put(all->slots, all->mask, entry);
    use_link(all, entry);
    heap_put(all, all->used++, entry);
    heap_up(all, entry);
    all->bytes += gs_entries_cost(size, value_cost);
    return entry;
}

void
gs_entries_remove(gs_entries *all, gs_entry *entry)
{
    slots_remove(all, entry);
    use_unlink(all, entry);
    heap_remove(all, entry);
    all->bytes -= gs_entries_cost(entry->key_size, entry->value_cost);
    PyObject *value = entry->value;
    PyMem_Free(entry);
    Py_DECREF(value);
}

PyObject *
gs_entries_set_value(gs_entries *all, gs_entry *entry, PyObject *value, size_t value_cost)
{
    PyObject *old = entry->value;

    all->bytes -= entry->value_cost;
    all->bytes += value_cost;
    entry->value = Py_NewRef(value);
    entry->value_cost = value_cost;
    return old;
}

void
gs_entries_set_expires(gs_entries *all, gs_entry *entry, int64_t expires)
{
    entry->expires = expires;
    if (expires < entry->due) {
        entry->due = expires;
        heap_up(all, entry);
    }
}

size_t
gs_entries_expire(gs_entries *all, int64_t now, size_t steps)
{
    size_t removed = 0;

    for (; steps > 0 && all->used > 0 && all->heap[0]->due <= now; steps--) {
        gs_entry *first = all->heap[0];
        if (first->expires <= now) {
            gs_entries_remove(all, first);
            removed++;
        } else { /* It was used since it was last looked at. */
            first->due = first->expires;
            heap_down(all, first);
        }
    }
    return removed;
}

void
gs_entries_clear(gs_entries *all)
{
    gs_entries gone = *all;

    *all = (gs_entries){0};
    PyMem_Free(gone.slots);
    for (size_t i = 0; i < gone.used; i++) {
        PyObject *value = gone.heap[i]->value;
        PyMem_Free(gone.heap[i]);
        Py_DECREF(value);
    }
    PyMem_Free(gone.heap);
}
