/* fuzz_conditions.c: entity tags, and the text as each of the fields that make a request
 * conditional. */
#include "core/conditions.h"
#include "core/date_parse.h"
#include "text.h"

#define MODIFIED 784111777
#define NOW 784111900

static gh_condition
ask(const char *name, const fuzz_text *text, bool twice)
{
    gh_field field = {{name, (uint32_t)strlen(name)}, {text->base, (uint32_t)text->len}};
    gh_field fields[] = {field, field};
    gh_validators validators = {{"\"a\"", 3}, true, MODIFIED, NOW};
    gh_condition found = gh_conditions(fields, twice ? 2 : 1, &validators);
    CHECK(found == GH_SEND || found == GH_NOT_MODIFIED || found == GH_FAILED);
    (void)gh_if_range(fields, twice ? 2 : 1, &validators);
    return found;
}

/* Each field alone decides by its own rule (RFC 9110, 13.1). */
static void
check_fields(const fuzz_text *text)
{
    gh_text in = {text->base, text->len}, tag = {"\"a\"", 3};
    int64_t date = 0;
    bool dated = gh_date_parse(text->base, text->len, NOW, &date);
    CHECK(ask("If-Match", text, false) == (gh_etag_listed(in, tag, true) ? GH_SEND : GH_FAILED));
    CHECK(ask("If-None-Match", text, false) ==
          (gh_etag_listed(in, tag, false) ? GH_NOT_MODIFIED : GH_SEND));
    CHECK(ask("If-Modified-Since", text, false) ==
          (dated && date >= MODIFIED ? GH_NOT_MODIFIED : GH_SEND));
    CHECK(ask("If-Unmodified-Since", text, false) ==
          (dated && date < MODIFIED ? GH_FAILED : GH_SEND));
    CHECK(ask("Range", text, false) == GH_SEND);
    (void)ask("If-None-Match", text, true);
    (void)ask("If-Range", text, false);
}

static void
fuzz_conditions(const fuzz_text *text)
{
    gh_text in = {text->base, text->len}, tag = {"\"a\"", 3};
    check_fields(text);
    /* What is strongly listed is weakly, and a tag is listed in itself and the same as itself. */
    CHECK(!gh_etag_listed(in, tag, true) || gh_etag_listed(in, tag, false));
    if (!gh_is_etag(in))
        return;
    bool weak = text->base[0] == 'W';
    CHECK(gh_etag_listed(in, in, false) && gh_etag_same(in, in, false));
    CHECK(gh_etag_listed(in, in, true) == !weak && gh_etag_same(in, in, true) == !weak);
}

FUZZ_TEXT(fuzz_conditions)
