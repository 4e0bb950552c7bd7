/* multipart.c: takes apart the forms that browsers and the usual clients send, when all of the
 * body is there. It knows one way to write each thing and says "unusual" to all others, right or
 * wrong: those are for the parser that knows them, and that words the refusals. So nothing is
 * taken here that is not taken there. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem() */
#endif
#include "core/multipart.h"

#include <string.h>

#include "core/field.h"

#define TYPE "multipart/form-data; boundary="
#define DISPOSITION "Content-Disposition"
#define CONTENT_TYPE "Content-Type"

static bool
is_boundary(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= 'a' && byte <= 'z') || byte == '-' || byte == '_' || byte == '.';
}

/* Takes a string off the beginning, if it is there. */
static bool
take(gh_text *text, const char *string, size_t n)
{
    if (text->len < n || memcmp(text->base, string, n) != 0)
        return false;
    text->base += n;
    text->len -= n;
    return true;
}

#define TAKE(text, string) take((text), (string), sizeof(string) - 1)

bool
gh_multipart_begin(gh_multipart *self, gh_text content_type, gh_text body, size_t longest_line)
{
    if (!TAKE(&content_type, TYPE) || content_type.len == 0 || content_type.len > GH_BOUNDARY_MOST)
        return false;
    for (size_t i = 0; i < content_type.len; i++) {
        if (!is_boundary(content_type.base[i]))
            return false;
    }
    memcpy(self->delimiter, "\r\n--", 4);
    memcpy(self->delimiter + 4, content_type.base, content_type.len);
    self->delimiter_len = content_type.len + 4;
    self->longest_line = longest_line;
    self->rest = body;
    return take(&self->rest, self->delimiter + 2, self->delimiter_len - 2) &&
           TAKE(&self->rest, "\r\n");
}

/* A line of a head, without its end. Control characters are never right in one. */
static bool
take_line(gh_text *rest, size_t longest, gh_text *line)
{
    size_t n = 0;
    while (n < rest->len && n <= longest && (unsigned char)rest->base[n] >= ' ' &&
           rest->base[n] != '\x7f')
        n++;
    if (n > longest)
        return false;
    *line = (gh_text){rest->base, n};
    rest->base += n;
    rest->len -= n;
    return TAKE(rest, "\r\n");
}

/* What stands in the double quotes that it begins with; without any kind of escape. */
static bool
take_quoted(gh_text *text, gh_text *value)
{
    size_t n = 0;
    if (!TAKE(text, "\""))
        return false;
    while (n < text->len && text->base[n] != '"') {
        char byte = text->base[n++];
        if (byte == '\\' || byte == '%' || byte == '*')
            return false;
    }
    *value = (gh_text){text->base, n};
    text->base += n;
    text->len -= n;
    return TAKE(text, "\"");
}

static bool
read_disposition(gh_text value, gh_part *part)
{
    if (part->name.base != NULL || !TAKE(&value, "form-data; name=") ||
        !take_quoted(&value, &part->name) || part->name.len == 0)
        return false;
    if (TAKE(&value, "; filename=") && !take_quoted(&value, &part->filename))
        return false;
    return value.len == 0;
}

/* Without parameters: of a charset the other parser has its list. */
static bool
read_type(gh_text value, gh_part *part)
{
    if (part->type.base != NULL || value.len == 0)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        unsigned char byte = (unsigned char)value.base[i];
        if (byte <= ' ' || byte >= 0x7f || byte == ';')
            return false;
    }
    part->type = value;
    return value.len < 10 || !gh_same_name(value.base, 10, "multipart/", 10);
}

static bool
read_field(gh_text line, gh_part *part)
{
    const char *colon = memchr(line.base, ':', line.len);
    if (colon == NULL)
        return false;
    size_t n = (size_t)(colon - line.base);
    gh_text value = {colon + 1, line.len - n - 1};
    if (!TAKE(&value, " "))
        return false;
    if (gh_same_name(line.base, n, DISPOSITION, sizeof(DISPOSITION) - 1))
        return read_disposition(value, part);
    if (gh_same_name(line.base, n, CONTENT_TYPE, sizeof(CONTENT_TYPE) - 1))
        return read_type(value, part);
    return false;
}

static bool
read_head(gh_multipart *self, gh_part *part)
{
    gh_text line;
    part->head = (gh_text){self->rest.base, 0};
    while (take_line(&self->rest, self->longest_line, &line)) {
        if (line.len == 0)
            return part->name.base != NULL;
        if (!read_field(line, part))
            return false;
        part->head.len = (size_t)(self->rest.base - part->head.base);
    }
    return false;
}

static bool
begins_with_boundary(const gh_multipart *self)
{
    size_t n = self->delimiter_len - 2;
    return self->rest.len >= n && memcmp(self->rest.base, self->delimiter + 2, n) == 0;
}

gh_part_step
gh_multipart_next(gh_multipart *self, gh_part *part)
{
    gh_text *rest = &self->rest;
    if (rest->base == NULL)
        return GH_PART_NONE;
    *part = (gh_part){.name = {NULL, 0}};
    if (!read_head(self, part) || rest->len == 0)
        return GH_PART_UNUSUAL;
    /* Behind the empty line that ends the head, it would be a delimiter to some. */
    if (begins_with_boundary(self))
        return GH_PART_UNUSUAL;
    const char *end = memmem(rest->base, rest->len, self->delimiter, self->delimiter_len);
    if (end == NULL)
        return GH_PART_UNUSUAL;
    part->body = (gh_text){rest->base, (size_t)(end - rest->base)};
    size_t used = part->body.len + self->delimiter_len;
    rest->base += used;
    rest->len -= used;
    if (TAKE(rest, "\r\n"))
        return GH_PART;
    if (!TAKE(rest, "--"))
        return GH_PART_UNUSUAL;
    (void)TAKE(rest, "\r\n");
    if (rest->len > 0)
        return GH_PART_UNUSUAL;
    rest->base = NULL;
    return GH_PART;
}
