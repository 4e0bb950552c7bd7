/* core_driver.c: runs functions of core/ without an interpreter, for test_core_c.py. It reads
 * lines "function hex hex..." and writes a line of hex texts for each. The first input lies
 * between two pages that may not be touched, once at the one's edge and once at the other's, so
 * that reading or writing a byte too far is the end of the process; both times must give the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/conditions.h"
#include "core/cookies.h"
#include "core/date.h"
#include "core/field.h"
#include "core/query.h"
#include "core/ranges.h"
#include "core/reply.h"
#include "core/status.h"

#define MAX_LINE (1 << 20)
#define ROOM (1 << 16) /* bytes between the two guard pages */

typedef struct {
    char text[MAX_LINE];
    size_t n;
} output;

static char *room;
static gh_text inputs[8];
static output first_out;
static output second_out;

static void
emit(output *out, const char *text, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    out->text[out->n++] = ' ';
    for (size_t i = 0; i < n; i++) {
        out->text[out->n++] = digits[(unsigned char)text[i] >> 4];
        out->text[out->n++] = digits[text[i] & 15];
    }
    out->text[out->n++] = '.';
}

static void
emit_number(output *out, long long number)
{
    char text[32];
    emit(out, text, (size_t)snprintf(text, sizeof(text), "%lld", number));
}

static long long
number_of(size_t i)
{
    return strtoll(inputs[i].base, NULL, 10);
}

static void
run_unquote(gh_text in, output *out)
{
    char *to = malloc(in.len + 1);
    emit(out, to, gh_unquote(in.base, in.len, false, to));
    emit(out, to, gh_unquote(in.base, in.len, true, to));
    free(to);
}

/* Into the place it comes from, which is between the guards. */
static void
run_in_place(gh_text in, output *out)
{
    emit(out, in.base, gh_unquote(in.base, in.len, true, (char *)in.base));
}

static void
run_quote(gh_text in, output *out)
{
    char *to = malloc(in.len * 3 + 1);
    emit(out, to, gh_quote(in.base, in.len, "/:", to));
    free(to);
}

static void
run_query(gh_text in, output *out)
{
    gh_text name;
    gh_text value;
    while (gh_query_next(&in, &name, &value)) {
        emit(out, name.base, name.len);
        emit(out, value.base, value.len);
    }
}

static void
run_cookies(gh_text in, output *out)
{
    gh_text name;
    gh_text value;
    bool quoted;
    while (gh_cookie_next(&in, &name, &value, &quoted)) {
        emit(out, name.base, name.len);
        emit(out, value.base, value.len);
        emit_number(out, quoted);
    }
}

static void
run_unescape(gh_text in, output *out)
{
    char *to = malloc(in.len + 1);
    emit(out, to, gh_cookie_unescape(in.base, in.len, to));
    free(to);
}

static void
run_checks(gh_text in, output *out)
{
    emit_number(out, gh_is_token(in.base, in.len));
    emit_number(out, gh_is_cgi_name(in.base, in.len));
    emit_number(out, gh_is_field_value(in.base, in.len));
    emit_number(out, gh_is_cookie_value(in.base, in.len));
    emit_number(out, gh_is_cookie_attribute(in.base, in.len));
    gh_strip(&in.base, &in.len);
    emit(out, in.base, in.len);
}

static void
run_same(gh_text in, output *out)
{
    emit_number(out, gh_same_name(in.base, in.len, inputs[1].base, inputs[1].len));
}

static void
run_date(gh_text in, output *out)
{
    char date[GH_DATE_SIZE];
    if (gh_date_render(number_of(0), date))
        emit(out, date, GH_DATE_SIZE);
    else
        emit(out, "", 0);
}

/* fields, status, reason, type, length, flags: "d" has_date, "c" chunked, "0" http10, "k" keep */
static void
run_reply(gh_text in, output *out)
{
    static char rendered[ROOM];
    const char *flags = inputs[5].base;
    gh_reply reply = {
        .status = (int)number_of(1),
        .reason = inputs[2].len > 0 ? inputs[2].base : NULL,
        .reason_len = inputs[2].len,
        .type = inputs[3].len > 0 ? inputs[3].base : NULL,
        .type_len = inputs[3].len,
        .fields = in.base,
        .fields_len = in.len,
        .length = number_of(4),
        .has_date = strchr(flags, 'd') != NULL,
        .chunked = strchr(flags, 'c') != NULL,
        .http10 = strchr(flags, '0') != NULL,
        .keep_alive = strchr(flags, 'k') != NULL,
    };
    size_t n = gh_reply_render(&reply, "Thu, 01 Jan 1970 00:00:00 GMT", rendered);
    emit(out, rendered, n);
    emit_number(out, n <= gh_reply_size(&reply));
}

/* a Range field, size */
static void
run_ranges(gh_text in, output *out)
{
    gh_range ranges[GH_MOST_RANGES];
    int n = gh_ranges_parse(in, number_of(1), ranges);
    emit_number(out, n);
    for (int i = 0; i < n; i++) {
        emit_number(out, ranges[i].start);
        emit_number(out, ranges[i].stop);
    }
}

/* a list of entity tags, a tag */
static void
run_etags(gh_text in, output *out)
{
    emit_number(out, gh_is_etag(in));
    emit_number(out, gh_etag_listed(in, inputs[1], false));
    emit_number(out, gh_etag_listed(in, inputs[1], true));
}

/* the value of a field, its name, a tag, a time */
static void
run_conditions(gh_text in, output *out)
{
    gh_field field = {
        .name = {inputs[1].base, (uint32_t)inputs[1].len},
        .value = {in.base, (uint32_t)in.len},
    };
    gh_validators validators = {inputs[2], true, number_of(3), number_of(3) + 1};
    emit_number(out, gh_conditions(&field, 1, &validators));
    emit_number(out, gh_if_range(&field, 1, &validators));
}

static const struct {
    const char *name;
    void (*run)(gh_text in, output *out);
} functions[] = {
    {"unquote", run_unquote},       {"in_place", run_in_place}, {"quote", run_quote},
    {"query", run_query},           {"cookies", run_cookies},   {"unescape", run_unescape},
    {"checks", run_checks},         {"same", run_same},         {"date", run_date},
    {"reply", run_reply},           {"ranges", run_ranges},     {"etags", run_etags},
    {"conditions", run_conditions},
};

static void
make_room(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *all = mmap(NULL, ROOM + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED || mprotect(all + page, ROOM, PROT_READ | PROT_WRITE) != 0)
        abort();
    room = all + page;
}

static void
parse_line(char *line, char *storage)
{
    char *word = strtok(line, " \n");
    for (size_t i = 0; i < 8; i++) {
        word = word == NULL ? NULL : strtok(NULL, " \n");
        inputs[i] = (gh_text){storage, 0};
        for (; word != NULL && word[0] != '.' && word[0] != '\0'; word += 2) {
            unsigned byte;
            if (sscanf(word, "%2x", &byte) != 1)
                abort();
            *storage++ = (char)byte;
            inputs[i].len++;
        }
        *storage++ = '\0';
    }
}

static void
run_at(void (*run)(gh_text, output *), char *place, output *out)
{
    gh_text in = {place, inputs[0].len};
    if (in.len > ROOM)
        abort();
    memcpy(place, inputs[0].base, in.len);
    out->n = 0;
    run(in, out);
}

int
main(void)
{
    static char line[MAX_LINE];
    static char storage[MAX_LINE];
    make_room();
    while (fgets(line, sizeof(line), stdin) != NULL) {
        void (*run)(gh_text, output *) = NULL;
        for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
            size_t n = strlen(functions[i].name);
            if (strncmp(line, functions[i].name, n) == 0 && line[n] == ' ')
                run = functions[i].run;
        }
        if (run == NULL)
            abort();
        parse_line(line, storage);
        run_at(run, room, &first_out);
        run_at(run, room + ROOM - inputs[0].len, &second_out);
        if (first_out.n != second_out.n ||
            memcmp(first_out.text, second_out.text, first_out.n) != 0)
            abort();
        second_out.text[second_out.n] = '\0';
        puts(second_out.text);
    }
    return 0;
}
