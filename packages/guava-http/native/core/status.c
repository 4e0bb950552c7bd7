/* status.c: whole status lines as constants, because nearly every answer begins with one of
 * them. */
#include "core/status.h"

#include <stdint.h>

#define STATUSES(X)                                                                               \
    X(100, "Continue")                                                                            \
    X(101, "Switching Protocols")                                                                 \
    X(102, "Processing")                                                                          \
    X(103, "Early Hints")                                                                         \
    X(200, "OK")                                                                                  \
    X(201, "Created")                                                                             \
    X(202, "Accepted")                                                                            \
    X(203, "Non-Authoritative Information")                                                       \
    X(204, "No Content")                                                                          \
    X(205, "Reset Content")                                                                       \
    X(206, "Partial Content")                                                                     \
    X(207, "Multi-Status")                                                                        \
    X(208, "Already Reported")                                                                    \
    X(226, "IM Used")                                                                             \
    X(300, "Multiple Choices")                                                                    \
    X(301, "Moved Permanently")                                                                   \
    X(302, "Found")                                                                               \
    X(303, "See Other")                                                                           \
    X(304, "Not Modified")                                                                        \
    X(305, "Use Proxy")                                                                           \
    X(307, "Temporary Redirect")                                                                  \
    X(308, "Permanent Redirect")                                                                  \
    X(400, "Bad Request")                                                                         \
    X(401, "Unauthorized")                                                                        \
    X(402, "Payment Required")                                                                    \
    X(403, "Forbidden")                                                                           \
    X(404, "Not Found")                                                                           \
    X(405, "Method Not Allowed")                                                                  \
    X(406, "Not Acceptable")                                                                      \
    X(407, "Proxy Authentication Required")                                                       \
    X(408, "Request Timeout")                                                                     \
    X(409, "Conflict")                                                                            \
    X(410, "Gone")                                                                                \
    X(411, "Length Required")                                                                     \
    X(412, "Precondition Failed")                                                                 \
    X(413, "Content Too Large")                                                                   \
    X(414, "URI Too Long")                                                                        \
    X(415, "Unsupported Media Type")                                                              \
    X(416, "Range Not Satisfiable")                                                               \
    X(417, "Expectation Failed")                                                                  \
    X(421, "Misdirected Request")                                                                 \
    X(422, "Unprocessable Content")                                                               \
    X(423, "Locked")                                                                              \
    X(424, "Failed Dependency")                                                                   \
    X(425, "Too Early")                                                                           \
    X(426, "Upgrade Required")                                                                    \
    X(428, "Precondition Required")                                                               \
    X(429, "Too Many Requests")                                                                   \
    X(431, "Request Header Fields Too Large")                                                     \
    X(451, "Unavailable For Legal Reasons")                                                       \
    X(500, "Internal Server Error")                                                               \
    X(501, "Not Implemented")                                                                     \
    X(502, "Bad Gateway")                                                                         \
    X(503, "Service Unavailable")                                                                 \
    X(504, "Gateway Timeout")                                                                     \
    X(505, "HTTP Version Not Supported")                                                          \
    X(506, "Variant Also Negotiates")                                                             \
    X(507, "Insufficient Storage")                                                                \
    X(508, "Loop Detected")                                                                       \
    X(511, "Network Authentication Required")

#define BEFORE_PHRASE 13 /* "HTTP/1.1 200 " */
#define PER_CLASS 52     /* 451 is the highest number within its class */

enum {
    unknown,
#define X(code, phrase) status_##code,
    STATUSES(X)
#undef X
};

static const struct {
    const char *text;
    size_t len;
} lines[] = {
#define X(code, phrase)                                                                           \
    [status_##code] = {"HTTP/1.1 " #code " " phrase "\r\n",                                       \
                       sizeof("HTTP/1.1 " #code " " phrase "\r\n") - 1},
    STATUSES(X)
#undef X
};

static const uint8_t rows[5][PER_CLASS] = {
#define X(code, phrase) [code / 100 - 1][code % 100] = status_##code,
    STATUSES(X)
#undef X
};

const char *
gh_status_line(int code, size_t *n)
{
    if (code < 100 || code > 599 || code % 100 >= PER_CLASS)
        return NULL;
    uint8_t row = rows[code / 100 - 1][code % 100];
    if (row == unknown)
        return NULL;
    *n = lines[row].len;
    return lines[row].text;
}

const char *
gh_status_phrase(int code, size_t *n)
{
    const char *line = gh_status_line(code, n);
    if (line == NULL)
        return NULL;
    *n -= BEFORE_PHRASE + 2;
    return line + BEFORE_PHRASE;
}
