/* hosts.c: the names that a server answers for. Whoever can choose the Host field chooses where
 * links lead that are made of it, and which site a cache keeps the answer for: so a server that
 * knows its names may insist on them (RFC 9110, 7.2 and 15.5.20). */
#include "server/parts.h"

#include <string.h>

#include "core/field.h"

/* The host without its port, and without the dot that ends a name of DNS in full. */
static gh_slice
name_of(gh_slice authority)
{
    const char *end = authority.base + authority.len;
    const char *at = authority.base;
    if (authority.len > 0 && *at == '[')
        at = memchr(at, ']', authority.len);
    const char *colon = memchr(at, ':', (size_t)(end - at));
    gh_slice name = {authority.base, (uint32_t)((colon == NULL ? end : colon) - authority.base)};
    if (name.len > 1 && name.base[name.len - 1] == '.')
        name.len--;
    return name;
}

/* ".example.com" is that name and all below it. */
static bool
matches(gh_slice name, const char *pattern, size_t n)
{
    if (n < 2 || *pattern != '.')
        return gh_same_name(name.base, name.len, pattern, n);
    if (name.len + 1 == n)
        return gh_same_name(name.base, name.len, pattern + 1, n - 1);
    return name.len > n && gh_same_name(name.base + name.len - n, n, pattern, n);
}

bool
gh_hosts_have(PyObject *hosts, gh_slice authority)
{
    gh_slice name = name_of(authority);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(hosts); i++) {
        PyObject *pattern = PyTuple_GET_ITEM(hosts, i);
        if (matches(name, PyBytes_AS_STRING(pattern), (size_t)PyBytes_GET_SIZE(pattern)))
            return true;
    }
    return false;
}

int
gh_hosts_set(gh_server *server, PyObject *hosts)
{
    if (hosts == NULL || hosts == Py_None) {
        Py_CLEAR(server->hosts);
        return 0;
    }
    if (!PyTuple_Check(hosts)) {
        PyErr_SetString(PyExc_TypeError, "hosts must be a tuple of bytes");
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(hosts); i++) {
        if (!PyBytes_Check(PyTuple_GET_ITEM(hosts, i))) {
            PyErr_SetString(PyExc_TypeError, "hosts must be a tuple of bytes");
            return -1;
        }
    }
    Py_XSETREF(server->hosts, Py_NewRef(hosts));
    return 0;
}
