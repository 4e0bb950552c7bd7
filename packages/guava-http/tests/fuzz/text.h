/* text.h: what the targets of texts share. */
#ifndef GUAVA_HTTP_FUZZ_TEXT_H
#define GUAVA_HTTP_FUZZ_TEXT_H

#include "check.h"
#include "core/query.h"

/* The text that a target is given, in memory that ends where it ends. */
typedef struct {
    char *base;
    size_t len;
} fuzz_text;

static inline void
check_within(gh_text part, const fuzz_text *text)
{
    CHECK(part.len == 0 || inside(part.base, part.len, text->base, text->len));
}

/* A decoder writes in place the same as elsewhere, and never more than it reads. */
static inline void
check_decoder(gh_text in, size_t (*decode)(const char *, size_t, char *))
{
    char *apart = malloc(in.len + 1), *place = exact(in.base, in.len);
    CHECK(apart != NULL);
    size_t n = decode(in.base, in.len, apart);
    CHECK(n <= in.len && decode(place, in.len, place) == n && memcmp(apart, place, n) == 0);
    free(apart);
    free(place);
}

/* Defines the entry of a target that looks at all of the input as one text. */
#define FUZZ_TEXT(function)                                                                       \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)                                  \
    {                                                                                             \
        fuzz_text text = {exact(data, size), size};                                               \
        function(&text);                                                                          \
        free(text.base);                                                                          \
        return 0;                                                                                 \
    }

#endif
