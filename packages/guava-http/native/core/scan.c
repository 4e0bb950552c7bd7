/* scan.c: the line scan in front of http-parser. The parser takes a lone LF, a lone CR after an
 * empty value and a folded first line for what they are not (RFC 9112, 2.2 and 5.2), and each of
 * these has carried a smuggled request past somebody. Nothing reaches the parser before its lines
 * have been found here, whole; that also makes every slice that it reports one piece. */
#include "core/scan.h"

#include <string.h>

#include "core/field.h"

/* A request line is at most this much longer than its target: " HTTP/1.1" and a method, which
 * nobody has registered with more than 16 letters. */
#define AROUND_TARGET 64

/* What can be said of a head whose last line is not complete yet. */
static gh_verdict
judge_rest(const gh_scan *scan, const char *bytes, size_t n, const gh_limits *limits)
{
    size_t rest = n - scan->line;
    if (scan->lines == 0) {
        /* Bytes of another protocol (TLS, say) would otherwise be waited on for an LF. */
        if (rest > 0 && bytes[scan->line] != '\r' && !gh_is_token(bytes + scan->line, 1))
            return GH_BAD_REQUEST_LINE;
        if (rest > (size_t)limits->target + AROUND_TARGET)
            return GH_TARGET_TOO_LONG;
    }
    return n >= limits->head ? GH_HEAD_TOO_LARGE : GH_MORE;
}

gh_verdict
gh_scan_head(gh_scan *scan, const char *bytes, size_t n, const gh_limits *limits, size_t *size)
{
    for (;;) {
        const char *lf = memchr(bytes + scan->seen, '\n', n - scan->seen);
        if (lf == NULL) {
            scan->seen = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
            return judge_rest(scan, bytes, n, limits);
        }
        const char *line = bytes + scan->line;
        if (lf == line || lf[-1] != '\r')
            return GH_BAD_LINE;
        size_t len = (size_t)(lf - 1 - line);
        size_t end = (size_t)(lf + 1 - bytes);
        if (scan->lines == 0) {
            if (len > (size_t)limits->target + AROUND_TARGET)
                return GH_TARGET_TOO_LONG;
            if (end > limits->head)
                return GH_HEAD_TOO_LARGE;
            if (len == 0) {
                /* One empty line in front is forgiven (RFC 9112, 2.2). */
                if (scan->line > 0)
                    return GH_BAD_REQUEST_LINE;
                scan->start = scan->line = scan->seen = (uint32_t)end;
                continue;
            }
            scan->first = (uint32_t)len;
        } else {
            if (end > limits->head)
                return GH_HEAD_TOO_LARGE;
            if (len == 0) {
                *size = end;
                return GH_OK;
            }
            if (*line == ' ' || *line == '\t')
                return GH_BAD_LINE;
            if (scan->lines > limits->fields)
                return GH_TOO_MANY_FIELDS;
        }
        if (memchr(line, '\r', len) != NULL)
            return GH_BAD_LINE;
        scan->lines++;
        scan->line = scan->seen = (uint32_t)end;
    }
}
