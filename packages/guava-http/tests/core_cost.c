/* core_cost.c: reads one input over and over, with core/ or with http-parser alone, for
 * test_core_cost.py to count the instructions of. http-parser alone only notes where things are,
 * as whoever uses it must.
 *
 *     core_cost (head | chunks | scan) (core | alone) TIMES < INPUT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <http_parser.h>

#include "core/chunks.h"
#include "core/parser.h"
#include "core/scan.h"

#define MOST (1 << 20)
#define FIELDS 4096

static const gh_limits limits = {MOST, FIELDS, 1 << 15, MOST, MOST, MOST};
static gh_field fields[FIELDS];
static gh_slice url;
static size_t n_fields;
static size_t n_data;

static int
note_url(http_parser *parser, const char *at, size_t n)
{
    url = (gh_slice){at, (uint32_t)n};
    return 0;
}

static int
note_name(http_parser *parser, const char *at, size_t n)
{
    fields[n_fields].name = (gh_slice){at, (uint32_t)n};
    return 0;
}

static int
note_value(http_parser *parser, const char *at, size_t n)
{
    fields[n_fields++].value = (gh_slice){at, (uint32_t)n};
    return 0;
}

static int
note_data(http_parser *parser, const char *at, size_t n)
{
    n_data += n;
    return 0;
}

static const http_parser_settings notes = {
    .on_url = note_url,
    .on_header_field = note_name,
    .on_header_value = note_value,
    .on_body = note_data,
};

static void
must(bool good)
{
    if (!good)
        abort();
}

static void
read_alone(const char *bytes, size_t n)
{
    http_parser parser;
    http_parser_init(&parser, HTTP_REQUEST);
    n_fields = 0;
    must(http_parser_execute(&parser, &notes, bytes, n) == n);
}

static size_t
read_head(const char *bytes, size_t n, gh_head *head)
{
    gh_scan scan = {0};
    size_t size = 0;
    must(gh_scan_head(&scan, bytes, n, &limits, &size) == GH_OK);
    must(gh_parse_head(&scan, bytes, size, &limits, fields, head) == GH_OK);
    return size;
}

static void
read_chunks(const char *at, size_t n)
{
    gh_chunks chunks = {0};
    gh_verdict verdict = GH_MORE;
    while (n > 0 && verdict == GH_MORE) {
        gh_slice data;
        verdict = gh_chunks_next(&chunks, &at, &n, &limits, &data);
        n_data += data.len;
    }
    must(verdict == GH_OK);
}

/* A head that comes in sixteen pieces. */
static void
read_pieces(const char *bytes, size_t n)
{
    gh_scan scan = {0};
    size_t size = 0;
    for (size_t i = 1; i < 16; i++)
        must(gh_scan_head(&scan, bytes, n * i / 16, &limits, &size) == GH_MORE);
    must(gh_scan_head(&scan, bytes, n, &limits, &size) == GH_OK);
}

int
main(int argc, char **argv)
{
    static char bytes[MOST];
    must(argc == 4);
    size_t n = fread(bytes, 1, sizeof(bytes), stdin);
    unsigned long times = strtoul(argv[3], NULL, 10);
    bool alone = strcmp(argv[2], "alone") == 0;
    gh_parser_allow(MOST);
    for (unsigned long i = 0; i < times; i++) {
        gh_head head;
        if (strcmp(argv[1], "scan") == 0) {
            read_pieces(bytes, n);
        } else if (alone) {
            read_alone(bytes, n);
        } else {
            size_t size = read_head(bytes, n, &head);
            if (head.chunked)
                read_chunks(bytes + size, n - size);
        }
    }
    return 0;
}
