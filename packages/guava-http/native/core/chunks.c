/* chunks.c: http-parser reads chunk lines loosely (a lone LF in an extension, anything after the
 * CR of a size), and a body whose end two readers see at different places is how requests are
 * smuggled. So the framing is read here, byte by byte, and only data goes past in one piece.
 * Trailer fields are checked and dropped: merging them into the head would let a body rewrite it
 * (RFC 9110, 6.5.1). */
#include "core/chunks.h"

#include <stdbool.h>

#include "core/field.h"

#define MOST_DIGITS 16
/* Framing may outweigh data by this much: a client that sends a byte per chunk costs us far more
 * than it sends. */
#define MOST_OVERHEAD (16 * 1024)

enum {
    SIZE,  /* hexadecimal digits */
    SPACE, /* white space after them: an extension must follow */
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER, /* the start of a trailer field, or the empty line */
    NAME,
    VALUE,
    VALUE_LF,
    LAST_LF,
};

static int
digit(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    char small = (char)(byte | 0x20);
    return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

static gh_verdict
read_size(gh_chunks *self, char byte)
{
    int value = digit(byte);
    if (value >= 0) {
        if (++self->digits > MOST_DIGITS)
            return GH_BAD_CHUNK;
        self->left = self->left << 4 | (uint64_t)value;
        return GH_MORE;
    }
    if (self->digits == 0)
        return GH_BAD_CHUNK;
    if (byte == '\r')
        self->state = SIZE_LF;
    else if (byte == ';')
        self->state = EXTENSION;
    else if (byte == ' ' || byte == '\t')
        self->state = SPACE;
    else
        return GH_BAD_CHUNK;
    return GH_MORE;
}

static gh_verdict
read_extension(gh_chunks *self, char byte, const gh_limits *limits)
{
    if (++self->extension > limits->chunk_extensions)
        return GH_BAD_CHUNK;
    if (self->state == SPACE) {
        if (byte == ';')
            self->state = EXTENSION;
        return byte == ';' || byte == ' ' || byte == '\t' ? GH_MORE : GH_BAD_CHUNK;
    }
    if (byte == '\r')
        self->state = SIZE_LF;
    else if (!gh_is_field_value(&byte, 1))
        return GH_BAD_CHUNK;
    return GH_MORE;
}

/* The size line is complete. */
static gh_verdict
begin_chunk(gh_chunks *self, const gh_limits *limits)
{
    self->digits = 0;
    if (self->left == 0) {
        self->state = TRAILER;
        return GH_MORE;
    }
    if (self->left > limits->body - self->total)
        return GH_BODY_TOO_LARGE;
    self->total += self->left;
    self->state = DATA;
    return GH_MORE;
}

static gh_verdict
read_trailer(gh_chunks *self, char byte, const gh_limits *limits)
{
    if (self->state == TRAILER && byte == '\r') {
        self->state = LAST_LF;
        return GH_MORE;
    }
    if (++self->trailer > limits->trailers)
        return GH_BAD_CHUNK;
    switch (self->state) {
    case TRAILER:
        self->state = NAME;
        return gh_is_token(&byte, 1) ? GH_MORE : GH_BAD_CHUNK;
    case NAME:
        if (byte == ':') {
            self->state = VALUE;
            return GH_MORE;
        }
        return gh_is_token(&byte, 1) ? GH_MORE : GH_BAD_CHUNK;
    case VALUE:
        if (byte == '\r') {
            self->state = VALUE_LF;
            return GH_MORE;
        }
        return gh_is_field_value(&byte, 1) ? GH_MORE : GH_BAD_CHUNK;
    default: /* VALUE_LF */
        self->state = TRAILER;
        return byte == '\n' ? GH_MORE : GH_BAD_CHUNK;
    }
}

static gh_verdict
read_framing(gh_chunks *self, char byte, const gh_limits *limits)
{
    switch (self->state) {
    case SIZE:
        return read_size(self, byte);
    case SPACE:
    case EXTENSION:
        return read_extension(self, byte, limits);
    case SIZE_LF:
        return byte == '\n' ? begin_chunk(self, limits) : GH_BAD_CHUNK;
    case DATA_CR:
        self->state = DATA_LF;
        return byte == '\r' ? GH_MORE : GH_BAD_CHUNK;
    case DATA_LF:
        self->state = SIZE;
        return byte == '\n' ? GH_MORE : GH_BAD_CHUNK;
    case LAST_LF:
        return byte == '\n' ? GH_OK : GH_BAD_CHUNK;
    default:
        return read_trailer(self, byte, limits);
    }
}

gh_verdict
gh_chunks_next(gh_chunks *self, const char **in, size_t *n, const gh_limits *limits,
               gh_slice *data)
{
    *data = (gh_slice){*in, 0};
    while (*n > 0 && self->state != DATA) {
        if (++self->framing > self->total + MOST_OVERHEAD)
            return GH_BAD_CHUNK;
        gh_verdict verdict = read_framing(self, **in, limits);
        (*in)++;
        (*n)--;
        if (verdict != GH_MORE)
            return verdict;
    }
    if (*n == 0)
        return GH_MORE;
    size_t take = self->left < *n ? (size_t)self->left : *n;
    take = take < UINT32_MAX ? take : UINT32_MAX;
    *data = (gh_slice){*in, (uint32_t)take};
    *in += take;
    *n -= take;
    self->left -= take;
    if (self->left == 0)
        self->state = DATA_CR;
    return GH_MORE;
}
