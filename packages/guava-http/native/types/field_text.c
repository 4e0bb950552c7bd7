/* field_text.c: fields kept as the very bytes that will be sent, so that a response's head is
 * rendered by one memcpy. An array of slices over them is the index; it is what readers see. */
#include "types/parts.h"

#include <string.h>

#include "core/cookies.h"
#include "core/field.h"

#define MAX_TEXT (64u << 20) /* slices count in 32 bits; nobody takes fields of this size */

/* ---- the text and its index ---------------------------------------------------------------- */

static int
grow_text(gh_field_text *self, size_t more)
{
    if (self->cap - self->len >= more)
        return 0;
    if (more > MAX_TEXT || self->len + more > MAX_TEXT) {
        PyErr_SetString(PyExc_ValueError, "header fields of more than 64 MiB");
        return -1;
    }
    size_t cap = self->cap * 2 > self->len + more ? self->cap * 2 : self->len + more;
    char *text = PyMem_Malloc(cap);
    if (text == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (uint32_t i = 0; i < self->fields.n; i++) {
        self->index[i].name.base = text + (self->index[i].name.base - self->text);
        self->index[i].value.base = text + (self->index[i].value.base - self->text);
    }
    if (self->len > 0)
        memcpy(text, self->text, self->len);
    PyMem_Free(self->text);
    self->text = text;
    self->cap = cap;
    return 0;
}

static int
grow_index(gh_field_text *self)
{
    if (self->fields.n < self->index_cap)
        return 0;
    uint32_t cap = self->index_cap == 0 ? 8 : self->index_cap * 2;
    gh_field *index = PyMem_Realloc(self->index, cap * sizeof(gh_field));
    if (index == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    self->index = index;
    self->fields.at = index;
    self->index_cap = cap;
    return 0;
}

int
gh_field_text_add(gh_field_text *self, gh_text name, gh_text value)
{
    if (grow_index(self) < 0 || grow_text(self, name.len + value.len + 4) < 0)
        return -1;
    char *at = self->text + self->len;
    memcpy(at, name.base, name.len);
    memcpy(at + name.len, ": ", 2);
    memcpy(at + name.len + 2, value.base, value.len);
    memcpy(at + name.len + 2 + value.len, "\r\n", 2);
    self->index[self->fields.n++] = (gh_field){
        .name = {at, (uint32_t)name.len},
        .value = {at + name.len + 2, (uint32_t)value.len},
    };
    self->len += name.len + value.len + 4;
    return 0;
}

/* Closes the gap that field i leaves. */
static void
remove_at(gh_field_text *self, uint32_t i)
{
    char *start = (char *)self->index[i].name.base;
    size_t size = (size_t)self->index[i].name.len + self->index[i].value.len + 4;
    memmove(start, start + size, (size_t)(self->text + self->len - start) - size);
    self->len -= size;
    self->fields.n--;
    for (uint32_t after = i; after < self->fields.n; after++) {
        self->index[after] = self->index[after + 1];
        self->index[after].name.base -= size;
        self->index[after].value.base -= size;
    }
}

static int
remove_among(gh_field_text *self, uint32_t first, gh_text name)
{
    int removed = 0;
    for (uint32_t i = first; i-- > 0;) {
        gh_slice found = self->index[i].name;
        if (gh_same_name(found.base, found.len, name.base, name.len)) {
            remove_at(self, i);
            removed++;
        }
    }
    return removed;
}

int
gh_field_text_remove(gh_field_text *self, gh_text name)
{
    return remove_among(self, self->fields.n, name);
}

int
gh_field_text_set(gh_field_text *self, gh_text name, gh_text value)
{
    if (gh_field_text_add(self, name, value) < 0)
        return -1;
    (void)remove_among(self, self->fields.n - 1, name); /* how many does not matter */
    return 0;
}

/* ---- Set-Cookie ---------------------------------------------------------------------------- */

static gh_text
cookie_attribute(gh_slice cookie, const char *name)
{
    gh_text rest = {cookie.base, cookie.len};
    gh_text found;
    gh_text value;
    bool quoted;
    bool first = true;
    while (gh_cookie_next(&rest, &found, &value, &quoted)) {
        if (!first && gh_same_name(found.base, found.len, name, strlen(name)))
            return value;
        first = false;
    }
    return (gh_text){"", 0};
}

static bool
same_text(gh_text a, gh_text b)
{
    return a.len == b.len && memcmp(a.base, b.base, a.len) == 0;
}

/* A browser keeps one cookie for each name, domain and path (RFC 6265, 5.3). */
static bool
replaces(gh_slice old, gh_slice new)
{
    const char *equals = memchr(new.base, '=', new.len);
    size_t n = equals == NULL ? new.len : (size_t)(equals - new.base) + 1;
    return old.len >= n && memcmp(old.base, new.base, n) == 0 &&
           same_text(cookie_attribute(old, "domain"), cookie_attribute(new, "domain")) &&
           same_text(cookie_attribute(old, "path"), cookie_attribute(new, "path"));
}

int
gh_field_text_add_cookie(gh_field_text *self, gh_text value)
{
    static const gh_text name = {"Set-Cookie", 10};
    gh_slice new = {value.base, (uint32_t)value.len};
    if (gh_field_text_add(self, name, value) < 0)
        return -1;
    for (uint32_t i = self->fields.n - 1; i-- > 0;) {
        gh_field field = self->index[i];
        if (gh_same_name(field.name.base, field.name.len, name.base, name.len) &&
            replaces(field.value, new))
            remove_at(self, i);
    }
    return 0;
}

void
gh_field_text_free(gh_field_text *self)
{
    PyMem_Free(self->text);
    PyMem_Free(self->index);
}
