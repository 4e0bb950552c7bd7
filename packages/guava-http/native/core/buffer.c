/* buffer.c: most connections never have one, because requests arrive whole in the loop's own
 * buffer; so an empty one costs no memory, and one that has emptied gives it back. */
#include "core/buffer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_ROOM 512

bool
gh_buffer_add(gh_buffer *self, const char *bytes, size_t n)
{
    size_t len = gh_buffer_len(self);
    if (n > SIZE_MAX / 4 - len)
        return false;
    if (n > self->room - self->end) {
        if (len + n <= self->room / 2) {
            memmove(self->bytes, self->bytes + self->start, len);
        } else {
            size_t room = LEAST_ROOM;
            while (room < len + n)
                room *= 2;
            char *grown = malloc(room);
            if (grown == NULL)
                return false;
            if (len > 0)
                memcpy(grown, self->bytes + self->start, len);
            free(self->bytes);
            self->bytes = grown;
            self->room = room;
        }
        self->start = 0;
        self->end = len;
    }
    if (n > 0)
        memcpy(self->bytes + self->end, bytes, n);
    self->end += n;
    return true;
}

void
gh_buffer_clear(gh_buffer *self)
{
    free(self->bytes);
    *self = (gh_buffer){0};
}

void
gh_buffer_take(gh_buffer *self, size_t n)
{
    self->start += n;
    if (self->start == self->end)
        gh_buffer_clear(self);
}
