/* spare.c: handles that have had their end, kept for the next ones: every callback of every
 * program is one, and most are gone before the next is made. Timers are not kept: most of them lie
 * in the heap for long, and so are not followed by another at once. */
#include "handle.h"

/* What a busy loop has in its queue at a time; some 30 KiB. */
#define SPARES 256

/* So that the sanitizer sees the use of one that is gone. */
#if defined(__SANITIZE_ADDRESS__)
#define KEEPS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEPS 0
#endif
#endif
#ifndef KEEPS
#define KEEPS 1
#endif

gl_handle *
gl_spare_take(gl_state *state)
{
    gl_handle *self = state->spares;
    if (self == NULL) {
        return PyObject_GC_New(gl_handle, state->handle_type);
    }
    state->spares = (gl_handle *)self->loop;
    state->nspares--;
    (void)PyObject_Init((PyObject *)self, state->handle_type);
    return self;
}

void
gl_spare_give(gl_state *state, gl_handle *self)
{
    /* After the module's end there is no type, and nobody to clear what would be kept. */
    if (KEEPS && Py_IS_TYPE((PyObject *)self, state->handle_type) && state->nspares < SPARES) {
        self->loop = (gl_loop *)state->spares;
        state->spares = self;
        state->nspares++;
    } else {
        PyObject_GC_Del(self);
    }
}

void
gl_spares_clear(gl_state *state)
{
    while (state->spares != NULL) {
        gl_handle *self = state->spares;
        state->spares = (gl_handle *)self->loop;
        PyObject_GC_Del(self);
    }
    state->nspares = 0;
}
