/* parser.h: http-parser behind one function. The other of the two that read a request's head is
 * gh_scan_head() in scan.h, which runs first; bodies are chunks.h. */
#ifndef GUAVA_HTTP_CORE_PARSER_H
#define GUAVA_HTTP_CORE_PARSER_H

#include "core/head.h"
#include "core/limits.h"
#include "core/scan.h"
#include "core/verdict.h"

/* Reads a complete head: the first `size` of `bytes`, as gh_scan_head() found it. `fields` has
 * room for limits->fields. Fills *head, whose slices point into `bytes`. GH_OK, or why it is
 * refused; then *head holds as much as was understood, at least method and keep_alive. */
gh_verdict gh_parse_head(const gh_scan *scan, const char *bytes, size_t size,
                         const gh_limits *limits, gh_field *fields, gh_head *head);

/* Lets http-parser, which keeps one limit for the whole process, take heads of this many bytes. */
void gh_parser_allow(uint32_t head);

#endif
