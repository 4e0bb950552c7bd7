/* verdict.h: what came of reading some bytes: all is well, more are needed, or why the request is
 * refused. One list, so that each reason has exactly one status code and one sentence. */
#ifndef GUAVA_HTTP_CORE_VERDICT_H
#define GUAVA_HTTP_CORE_VERDICT_H

#define GH_REFUSALS(X)                                                                            \
    X(GH_BAD_LINE, 400, "A line does not end with CR LF, or is folded.")                          \
    X(GH_BAD_REQUEST_LINE, 400, "The request line is malformed.")                                 \
    X(GH_BAD_TARGET, 400, "The request target is malformed.")                                     \
    X(GH_BAD_FIELD, 400, "A header field is malformed.")                                          \
    X(GH_BAD_HOST, 400, "Exactly one valid Host field is needed.")                                \
    X(GH_BAD_FRAMING, 400, "Where the body ends is ambiguous.")                                   \
    X(GH_BAD_CHUNK, 400, "The chunked body is malformed.")                                        \
    X(GH_EXTENSIONS_TOO_LARGE, 400, "The chunk extensions are larger than this server takes.")    \
    X(GH_TRAILERS_TOO_LARGE, 400, "The trailer fields are larger than this server takes.")        \
    X(GH_FRAMING_TOO_LARGE, 400, "The chunks' framing outweighs their data.")                     \
    X(GH_TRACE_WITH_BODY, 400, "A TRACE request has no body.")                                    \
    X(GH_NO_TRACE, 405, "TRACE would show the client's secrets to who made it ask.")              \
    X(GH_TIMEOUT, 408, "The request did not arrive in time.")                                     \
    X(GH_BODY_TOO_LARGE, 413, "The body is larger than this server takes.")                       \
    X(GH_TARGET_TOO_LONG, 414, "The request target is longer than this server takes.")            \
    X(GH_BAD_EXPECTATION, 417, "The only expectation that is met is 100-continue.")               \
    X(GH_OTHER_HOST, 421, "This server does not answer for that host.")                           \
    X(GH_HEAD_TOO_LARGE, 431, "The header fields are larger than this server takes.")             \
    X(GH_TOO_MANY_FIELDS, 431, "There are more header fields than this server takes.")            \
    X(GH_UNKNOWN_METHOD, 501, "The method is not implemented.")                                   \
    X(GH_UNKNOWN_CODING, 501, "The transfer coding is not implemented.")                          \
    X(GH_UNKNOWN_VERSION, 505, "This server speaks HTTP/1.1 and HTTP/1.0.")

typedef enum {
    GH_OK,
    GH_MORE,
#define X(name, status, text) name,
    GH_REFUSALS(X)
#undef X
} gh_verdict;

/* The status code of a refusal, and a sentence for a person to read. */
int gh_verdict_status(gh_verdict verdict);
const char *gh_verdict_text(gh_verdict verdict);

#endif
