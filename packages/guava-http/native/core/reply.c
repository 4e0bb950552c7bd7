/* reply.c: renders a response's head. Everything is copied from constants; the only arithmetic is
 * the length's digits. The caller has checked every text: nothing here looks for CR or LF. */
#include "core/reply.h"

#include <string.h>

#include "core/date.h"
#include "core/status.h"

const char gh_type_html[sizeof(GH_TYPE_HTML)] = GH_TYPE_HTML;

#define LITERAL(out, text) put(out, text, sizeof(text) - 1)

/* All that may come between the given texts: the status line of an unregistered code, Date,
 * Content-Type, the longest Content-Length, Connection and the empty line. */
#define OVERHEAD 256

static char *
put(char *out, const char *text, size_t n)
{
    memcpy(out, text, n);
    return out + n;
}

static char *
put_number(char *out, uint64_t number)
{
    static const char pairs[] = "0001020304050607080910111213141516171819"
                                "2021222324252627282930313233343536373839"
                                "4041424344454647484950515253545556575859"
                                "6061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    if (number >= 10 && number < 100) { /* as the general case below, without its call */
        memcpy(out, pairs + number * 2, 2);
        return out + 2;
    }
    char digits[20];
    char *at = digits + sizeof(digits);
    while (number >= 100) {
        at -= 2;
        memcpy(at, pairs + number % 100 * 2, 2);
        number /= 100;
    }
    if (number >= 10) {
        at -= 2;
        memcpy(at, pairs + number * 2, 2);
    } else {
        *--at = (char)('0' + number);
    }
    return put(out, at, (size_t)(digits + sizeof(digits) - at));
}

size_t
gh_reply_size(const gh_reply *reply)
{
    size_t size = OVERHEAD + reply->type_len + reply->fields_len;
    return reply->reason == NULL ? size : size + reply->reason_len;
}

static char *
put_status(char *out, const gh_reply *reply)
{
    size_t n;
    const char *line = reply->reason == NULL ? gh_status_line(reply->status, &n) : NULL;
    if (line != NULL)
        return put(out, line, n);
    out = LITERAL(out, "HTTP/1.1 ");
    out = put_number(out, (uint64_t)reply->status);
    *out++ = ' ';
    if (reply->reason != NULL)
        out = put(out, reply->reason, reply->reason_len);
    return LITERAL(out, "\r\n");
}

/* How the body ends. 1xx and 204 have neither field (RFC 9110, 8.6; RFC 9112, 6.1). */
static char *
put_framing(char *out, const gh_reply *reply)
{
    if (reply->status < 200 || reply->status == 204)
        return out;
    if (reply->chunked)
        return LITERAL(out, "Transfer-Encoding: chunked\r\n");
    if (reply->length < 0)
        return out;
    out = LITERAL(out, "Content-Length: ");
    out = put_number(out, (uint64_t)reply->length);
    return LITERAL(out, "\r\n");
}

/* The head of a str that a handler gave, on a connection that lives on. */
static bool
is_plain(const gh_reply *reply)
{
    return reply->type == gh_type_html && reply->status == 200 && reply->length >= 0 &&
           reply->fields_len == 0 && reply->reason == NULL && !reply->has_date &&
           !reply->chunked && !reply->http10 && reply->keep_alive;
}

/* Copies of a length that the compiler knows are a few moves; piece by piece they are calls. */
static size_t
render_plain(const gh_reply *reply, const char *date, char *buffer)
{
#define BEFORE_DATE "HTTP/1.1 200 OK\r\nDate: "
    static const char start[] = BEFORE_DATE
        "Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Type: " GH_TYPE_HTML "\r\nContent-Length: ";
    char *out = LITERAL(buffer, start);
    memcpy(buffer + sizeof(BEFORE_DATE) - 1, date, GH_DATE_SIZE);
    out = put_number(out, (uint64_t)reply->length);
    out = LITERAL(out, "\r\n\r\n");
    return (size_t)(out - buffer);
}

size_t
gh_reply_render(const gh_reply *reply, const char *date, char *buffer)
{
    if (is_plain(reply))
        return render_plain(reply, date, buffer);
    char *out = put_status(buffer, reply);
    if (!reply->has_date) {
        out = LITERAL(out, "Date: ");
        out = put(out, date, GH_DATE_SIZE);
        out = LITERAL(out, "\r\n");
    }
    if (reply->type != NULL) {
        out = LITERAL(out, "Content-Type: ");
        out = put(out, reply->type, reply->type_len);
        out = LITERAL(out, "\r\n");
    }
    out = put_framing(out, reply);
    if (reply->fields_len > 0)
        out = put(out, reply->fields, reply->fields_len);
    /* 1.1 lives on unless told otherwise, 1.0 the other way round (RFC 9112, 9.3). An interim
     * answer says nothing about the connection. */
    if (reply->keep_alive == reply->http10 && reply->status >= 200)
        out = reply->keep_alive ? LITERAL(out, "Connection: keep-alive\r\n")
                                : LITERAL(out, "Connection: close\r\n");
    out = LITERAL(out, "\r\n");
    return (size_t)(out - buffer);
}
