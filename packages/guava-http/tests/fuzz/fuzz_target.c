/* fuzz_target.c: request targets and authorities. The first byte of the input chooses the method,
 * the rest is the target, and by itself an authority. */
#include <arpa/inet.h>

#include "core/address.h"
#include "core/field.h"
#include "core/target.h"
#include "text.h"

static void
check_slice(gh_slice part, const gh_head *head)
{
    CHECK(part.len == 0 || inside(part.base, part.len, head->start, head->size));
}

/* What stands between the brackets, by the system's own reader. */
static void
check_literal(const char *text, size_t n)
{
    struct in6_addr address;
    char *copy = malloc(n + 1);
    CHECK(copy != NULL);
    memcpy(copy, text, n);
    copy[n] = '\0';
    bool known = strlen(copy) == n && inet_pton(AF_INET6, copy, &address) == 1;
    bool future = n > 0 && (*text | 0x20) == 'v';
    CHECK(gh_is_ip_literal(text, n) == known || future);
    free(copy);
}

/* host [":" port] of RFC 3986 and nothing else. */
static void
check_authority(gh_slice slice)
{
    size_t at = 0;
    CHECK(gh_is_authority(slice, true));
    CHECK(slice.len > 0 && slice.base[0] != ':');
    if (slice.base[0] == '[') {
        const char *close = memchr(slice.base, ']', slice.len);
        CHECK(close != NULL && close > slice.base + 1);
        at = (size_t)(close + 1 - slice.base);
        CHECK(gh_is_ip_literal(slice.base + 1, at - 2));
        CHECK(memchr(slice.base + 1, '[', slice.len - 1) == NULL);
    }
    for (; at < slice.len && slice.base[at] != ':'; at++)
        CHECK(slice.base[0] != '[' && strchr("/?#@[]\\\"<>^`{|} ", slice.base[at]) == NULL);
    CHECK(slice.len - at <= 6);
    for (at++; at < slice.len; at++)
        CHECK(slice.base[at] >= '0' && slice.base[at] <= '9');
    for (size_t i = 0; i < slice.len; i++)
        CHECK(slice.base[i] > ' ' && slice.base[i] < 0x7f);
}

static void
check_split(const gh_head *head)
{
    bool absolute = head->host.base != NULL;
    check_slice(head->path, head);
    check_slice(head->query, head);
    check_slice(head->host, head);
    CHECK(head->path.len > 0 && (*head->path.base == '/' || *head->path.base == '*'));
    CHECK(memchr(head->path.base, '?', head->path.len) == NULL);
    CHECK(*head->path.base != '*' || (head->path.len == 1 && head->method.len == 7));
    if (absolute)
        check_authority(head->host);
    bool bare = absolute && head->path.base < head->host.base;
    const char *at = absolute ? head->host.base + head->host.len : head->target.base;
    CHECK(!absolute || head->host.base - head->target.base == 7 ||
          head->host.base - head->target.base == 8);
    CHECK(bare || head->path.base == at);
    at += bare ? 0 : head->path.len;
    const char *end = head->target.base + head->target.len;
    CHECK(at == end ? head->query.len == 0 : *at == '?' && head->query.base == at + 1);
    CHECK(at == end || head->query.base + head->query.len == end);
    for (uint32_t i = 0; i < head->target.len; i++) {
        char byte = head->target.base[i];
        CHECK(byte > ' ' && byte < 0x7f && byte != '#');
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = {"GET", "OPTIONS", "POST"};
    if (size == 0)
        return 0;
    const char *method = methods[data[0] % 3];
    uint32_t before = (uint32_t)strlen(method) + 1, n = (uint32_t)size - 1;
    char *line = malloc(before + n);
    CHECK(line != NULL);
    memcpy(line, method, before);
    line[before - 1] = ' ';
    memcpy(line + before, data + 1, n);
    gh_slice target = {line + before, n};
    gh_head head = {
        .start = line, .size = before + n, .method = {line, before - 1}, .target = target};
    if (gh_target_split(&head))
        check_split(&head);
    if (gh_is_authority(target, false))
        check_authority(target);
    check_literal(target.base, n);
    CHECK(gh_is_authority(target, false) || !gh_is_authority(target, true) || n == 0 ||
          *target.base == ':');
    free(line);
    return 0;
}
