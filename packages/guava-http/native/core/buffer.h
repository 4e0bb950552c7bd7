/* buffer.h: bytes that wait, in order. */
#ifndef GUAVA_HTTP_CORE_BUFFER_H
#define GUAVA_HTTP_CORE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

/* All zero is an empty one, which owns no memory. */
typedef struct {
    char *bytes;
    size_t start; /* of what waits: what is before has been taken */
    size_t end;
    size_t room; /* bytes allocated */
} gh_buffer;

static inline size_t
gh_buffer_len(const gh_buffer *self)
{
    return self->end - self->start;
}

/* Adds n bytes behind the others. False without memory; then nothing has changed. */
bool gh_buffer_add(gh_buffer *self, const char *bytes, size_t n);

/* Gives the memory back. */
void gh_buffer_clear(gh_buffer *self);

/* Takes the first n. The memory goes back with the last byte. */
void gh_buffer_take(gh_buffer *self, size_t n);

#endif
