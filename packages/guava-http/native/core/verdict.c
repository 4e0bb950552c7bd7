/* verdict.c: the tables of verdict.h. */
#include "core/verdict.h"

static const struct {
    int status;
    const char *text;
} refusals[] = {[GH_OK] = {200, ""},
                [GH_MORE] = {400, "The request is incomplete."},
#define X(name, status, text) [name] = {status, text},
                GH_REFUSALS(X)
#undef X
};

int
gh_verdict_status(gh_verdict verdict)
{
    return refusals[verdict].status;
}

const char *
gh_verdict_text(gh_verdict verdict)
{
    return refusals[verdict].text;
}
