/* conditions.c: what the preconditions of a request say of the representation that is there.
 * Fields may come in several lines; a list of tags is as good in two lines as in one, and a date
 * in two lines is none. */
#include "core/conditions.h"

#include <string.h>

#include "core/date_parse.h"
#include "core/field.h"

/* ---- entity tags --------------------------------------------------------------------------- */

static bool
is_weak(gh_text etag)
{
    return etag.len > 2 && etag.base[0] == 'W' && etag.base[1] == '/';
}

static gh_text
opaque(gh_text etag)
{
    return is_weak(etag) ? (gh_text){etag.base + 2, etag.len - 2} : etag;
}

/* How many bytes the tag at the beginning has; 0 if there is none. */
static size_t
tag_length(gh_text text)
{
    size_t i = is_weak(text) ? 2 : 0;
    if (i >= text.len || text.base[i] != '"')
        return 0;
    for (i++; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.base[i];
        if (byte == '"')
            return i + 1;
        if (byte < 0x21 || byte == 0x7f)
            return 0;
    }
    return 0;
}

bool
gh_is_etag(gh_text text)
{
    return text.len > 0 && tag_length(text) == text.len;
}

bool
gh_etag_same(gh_text a, gh_text b, bool strong)
{
    if (strong && (is_weak(a) || is_weak(b)))
        return false;
    a = opaque(a);
    b = opaque(b);
    return a.len == b.len && memcmp(a.base, b.base, a.len) == 0;
}

bool
gh_etag_listed(gh_text field, gh_text etag, bool strong)
{
    if (field.len == 1 && *field.base == '*')
        return true;
    if (etag.base == NULL)
        return false;
    for (size_t i = 0; i < field.len;) {
        char byte = field.base[i];
        if (byte == ' ' || byte == '\t' || byte == ',') {
            i++;
            continue;
        }
        gh_text tag = {field.base + i, field.len - i};
        tag.len = tag_length(tag);
        if (tag.len == 0)
            return false;
        if (gh_etag_same(tag, etag, strong))
            return true;
        i += tag.len;
        while (i < field.len && (field.base[i] == ' ' || field.base[i] == '\t'))
            i++;
        if (i < field.len && field.base[i] != ',')
            return false;
    }
    return false;
}

static char *
put_hex(char *out, uint64_t number)
{
    int shift = 60;
    while (shift > 0 && number >> shift == 0)
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        *out++ = "0123456789abcdef"[number >> shift & 15];
    return out;
}

size_t
gh_etag_render(uint64_t inode, uint64_t size, uint64_t modified_ns, char *out)
{
    char *at = out;
    *at++ = '"';
    at = put_hex(at, inode);
    *at++ = '-';
    at = put_hex(at, size);
    *at++ = '-';
    at = put_hex(at, modified_ns);
    *at++ = '"';
    return (size_t)(at - out);
}

/* ---- preconditions ------------------------------------------------------------------------- */

/* Tags, by the lines of one name. */
typedef struct {
    bool sent;
    bool listed;
} tags;

/* A field that stands once. */
typedef struct {
    int lines;
    gh_text value;
} single;

static gh_text
value_of(const gh_field *field)
{
    return (gh_text){field->value.base, field->value.len};
}

static bool
is_named(const gh_field *field, const char *name, size_t n)
{
    return field->name.len == n && gh_same_name(field->name.base, n, name, n);
}

static void
note_tags(tags *self, const gh_field *field, gh_text etag, bool strong)
{
    self->sent = true;
    self->listed = self->listed || gh_etag_listed(value_of(field), etag, strong);
}

static void
note(single *self, const gh_field *field)
{
    self->lines++;
    self->value = value_of(field);
}

/* False for no date at all: the field then counts as not sent. */
static bool
read_date(const single *field, const gh_validators *v, int64_t *date)
{
    return v->has_date && field->lines == 1 &&
           gh_date_parse(field->value.base, field->value.len, v->now, date);
}

gh_condition
gh_conditions(const gh_field *fields, uint32_t n, const gh_validators *v)
{
    tags match = {false}, none_match = {false};
    single since = {0}, unmodified = {0};
    int64_t date;
    for (uint32_t i = 0; i < n; i++) {
        const gh_field *field = &fields[i];
        if (field->name.len < 8 || (field->name.base[0] | 0x20) != 'i')
            continue;
        if (is_named(field, "if-match", 8))
            note_tags(&match, field, v->etag, true);
        else if (is_named(field, "if-none-match", 13))
            note_tags(&none_match, field, v->etag, false);
        else if (is_named(field, "if-modified-since", 17))
            note(&since, field);
        else if (is_named(field, "if-unmodified-since", 19))
            note(&unmodified, field);
    }
    if (match.sent) {
        if (!match.listed)
            return GH_FAILED;
    } else if (read_date(&unmodified, v, &date) && v->modified > date) {
        return GH_FAILED;
    }
    if (none_match.sent)
        return none_match.listed ? GH_NOT_MODIFIED : GH_SEND;
    return read_date(&since, v, &date) && v->modified <= date ? GH_NOT_MODIFIED : GH_SEND;
}

bool
gh_if_range(const gh_field *fields, uint32_t n, const gh_validators *v)
{
    single field = {0};
    int64_t date;
    for (uint32_t i = 0; i < n; i++) {
        if (is_named(&fields[i], "if-range", 8))
            note(&field, &fields[i]);
    }
    if (field.lines == 0)
        return true;
    if (field.lines > 1)
        return false;
    if (gh_is_etag(field.value))
        return v->etag.base != NULL && gh_etag_same(field.value, v->etag, true);
    /* A date says "the same bytes" only if it lies in the past: within its second the file may
     * have changed twice (8.8.2.2). */
    return read_date(&field, v, &date) && date == v->modified && v->now > v->modified;
}
