#include "server/parts.h"
const guava_loop_api gh_adapter_api;
int
gh_adapter_register(PyObject *module, struct gh_server_part *part)
{
    return 0;
}
int
gh_foreign_register(PyObject *module, struct gh_server_part *part)
{
    return 0;
}
gh_foreign *
gh_foreign_new(struct gh_server_part *part, PyObject *loop)
{
    return NULL;
}
void
gh_foreign_free(gh_foreign *foreign)
{
}
