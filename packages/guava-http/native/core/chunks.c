/* chunks.c: http-parser reads chunk lines loosely (a lone LF in an extension, anything after the
 * CR of a size), and a body whose end two readers see at different places is how requests are
 * smuggled. So the framing is read here, and only data goes past in one piece. Trailer fields are
 * checked and dropped: merging them into the head would let a body rewrite it (RFC 9110, 6.5.1).
 */
#include "core/chunks.h"

#include <stdbool.h>
#include <string.h>

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

/* The value of a hexadecimal digit, plus one; 0 for what is none. */
static const uint8_t digits[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

/* What is behind the digits. */
static gh_verdict
end_digits(gh_chunks *self, char byte)
{
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
    if (self->extension >= limits->chunk_extensions)
        return GH_EXTENSIONS_TOO_LARGE;
    self->extension++;
    self->framing++;
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

/* The size line is complete. Its digits, two line ends and what was counted of extensions are
 * framing. */
static gh_verdict
begin_chunk(gh_chunks *self, const gh_limits *limits)
{
    self->framing += (uint64_t)self->digits + 4;
    self->digits = 0;
    if (self->left == 0) {
        self->state = TRAILER;
        return GH_MORE;
    }
    if (self->framing > self->total + MOST_OVERHEAD)
        return GH_FRAMING_TOO_LARGE;
    if (self->left > limits->body - self->total)
        return GH_BODY_TOO_LARGE;
    self->total += self->left;
    self->state = DATA;
    return GH_MORE;
}

/* A field that says where a message ends or who it is for has no place behind a body. */
static bool
is_forbidden(const gh_chunks *self)
{
    switch (self->name_len) {
    case 4:
        return memcmp(self->name, "host", 4) == 0;
    case 10:
        return memcmp(self->name, "connection", 10) == 0;
    case 14:
        return memcmp(self->name, "content-length", 14) == 0;
    case 17:
        return memcmp(self->name, "transfer-encoding", 17) == 0;
    default:
        return false;
    }
}

static gh_verdict
read_name(gh_chunks *self, char byte)
{
    if (byte == ':') {
        self->state = VALUE;
        return is_forbidden(self) ? GH_BAD_FRAMING : GH_MORE;
    }
    if (!gh_is_token(&byte, 1))
        return GH_BAD_CHUNK;
    if (self->name_len < GH_LONGEST_FORBID)
        self->name[self->name_len++] = (char)(byte | 0x20);
    return GH_MORE;
}

static gh_verdict
read_trailer(gh_chunks *self, char byte, const gh_limits *limits)
{
    /* The empty line at the end is not the client's to save. */
    if (self->state == TRAILER && byte == '\r') {
        self->state = LAST_LF;
        return GH_MORE;
    }
    if (self->trailer >= limits->trailers)
        return GH_TRAILERS_TOO_LARGE;
    self->trailer++;
    switch (self->state) {
    case TRAILER:
        self->state = NAME;
        self->name_len = 0;
        self->trailers++;
        return byte == ':' ? GH_BAD_CHUNK : read_name(self, byte);
    case NAME:
        return read_name(self, byte);
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
read_byte(gh_chunks *self, char byte, const gh_limits *limits)
{
    switch (self->state) {
    case SIZE:
        return end_digits(self, byte);
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

/* Up to the next data, or the end of the bytes or of the body. */
static gh_verdict
read_framing(gh_chunks *self, const char **in, const char *end, const gh_limits *limits)
{
    const char *at = *in;
    gh_verdict verdict = GH_MORE;
    while (at < end && self->state != DATA && verdict == GH_MORE) {
        /* Whole line ends, of chunks without extensions, are most of what there is. */
        if (self->state == DATA_CR && end - at > 1 && at[0] == '\r' && at[1] == '\n') {
            self->state = SIZE;
            at += 2;
        }
        if (self->state == SIZE) {
            uint8_t value;
            while (at < end && (value = digits[(uint8_t)*at]) != 0) {
                if (++self->digits > MOST_DIGITS) {
                    *in = at;
                    return GH_BAD_CHUNK;
                }
                self->left = self->left << 4 | (value - 1u);
                at++;
            }
            if (at == end)
                break;
            if (self->digits > 0 && end - at > 1 && at[0] == '\r' && at[1] == '\n') {
                at += 2;
                verdict = begin_chunk(self, limits);
                continue;
            }
        }
        verdict = read_byte(self, *at++, limits);
    }
    *in = at;
    return verdict;
}

gh_verdict
gh_chunks_next(gh_chunks *self, const char **in, size_t *n, const gh_limits *limits,
               gh_slice *data)
{
    const char *end = *in + *n;
    if (self->state != DATA) {
        gh_verdict verdict = read_framing(self, in, end, limits);
        *n = (size_t)(end - *in);
        if (verdict != GH_MORE || *n == 0) {
            *data = (gh_slice){*in, 0};
            return verdict;
        }
    }
    size_t take = self->left < *n ? (size_t)self->left : *n;
    take = take < UINT32_MAX ? take : UINT32_MAX;
    *data = (gh_slice){*in, (uint32_t)take};
    *in += take;
    *n -= take;
    self->left -= take;
    if (self->left == 0 && take > 0)
        self->state = DATA_CR;
    return GH_MORE;
}
