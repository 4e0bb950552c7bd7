/* check.h: what the fuzz targets share: memory of exactly the size of the input, so that the
 * sanitizer sees a byte too far, and a check that stays in every build. */
#ifndef GUAVA_HTTP_FUZZ_CHECK_H
#define GUAVA_HTTP_FUZZ_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(what)                                                                               \
    do {                                                                                          \
        if (!(what)) {                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);                    \
            abort();                                                                              \
        }                                                                                         \
    } while (0)

/* The entry that libFuzzer, AFL++ and mutate.c call. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy that ends where its memory ends. */
static inline char *
exact(const void *bytes, size_t n)
{
    char *copy = malloc(n > 0 ? n : 1);
    CHECK(copy != NULL);
    if (n > 0)
        memcpy(copy, bytes, n);
    return copy;
}

static inline bool
inside(const char *at, size_t n, const char *base, size_t size)
{
    return at >= base && n <= size && (size_t)(at - base) <= size - n;
}

#endif
