/* file_response.h: a FileResponse's memory, for the two files that are about it: file_response.c
 * (the type) and file_answer.c (what it answers to a request). */
#ifndef GUAVA_HTTP_TYPES_FILE_RESPONSE_H
#define GUAVA_HTTP_TYPES_FILE_RESPONSE_H

#include <sys/stat.h>

#include "core/conditions.h"
#include "types/response.h"

/* Of one file: the one that was asked for, or a compressed variant of it. */
typedef struct {
    char text[GH_ETAG_SIZE]; /* the tag that was made of the file */
    gh_text etag;            /* that, or the one that was given; base NULL for none */
    bool has_date;
    int64_t modified; /* seconds since 1970 */
} gh_file_facts;

typedef struct {
    gh_response response;
    PyObject *file;    /* the FileBody it was made with */
    PyObject *path;    /* bytes, or NULL if it was not a path */
    PyObject *etag;    /* the str that was given, or NULL */
    PyObject *codings; /* a tuple of str, those that variants may have, or NULL */
    bool own_etag;     /* made of the file */
    bool own_date;
    struct timespec modified;
    gh_file_facts facts;
} gh_file_response;

/* Opens a regular file for reading. Its descriptor, or -1 with errno; ENOENT if it is none. */
int gh_file_open(const char *path, struct stat *info);

/* What is known of a file. */
void gh_file_note(const gh_file_response *self, const struct stat *info, gh_file_facts *facts);

#endif
