/* hints.c: 103 (RFC 8297), an answer before the answer: it lets the client fetch what the page
 * will need while the page is still being made, and so does not wait in the cork. */
#include "server/parts.h"

#include <string.h>

#define LINE "HTTP/1.1 103 Early Hints\r\n"
#define MOST (8 * 1024)

/* Streams belong to the loop's thread. */
static bool
is_on_loop(gh_server *server)
{
    PyObject *loop = PyObject_CallNoArgs(server->part->running);
    bool here = loop == server->loop_object;
    Py_XDECREF(loop);
    if (!here && !PyErr_Occurred())
        PyErr_SetString(PyExc_RuntimeError, "early hints are sent on the loop's thread only");
    return here;
}

static void
send_hints(gh_peer *peer, const char *lines, size_t n)
{
    gh_peer *before = gh_cork(peer);
    char *out = gh_out_room(peer, sizeof(LINE) - 1 + n + 2);
    memcpy(out, LINE, sizeof(LINE) - 1);
    memcpy(out + sizeof(LINE) - 1, lines, n);
    memcpy(out + sizeof(LINE) - 1 + n, "\r\n", 2);
    gh_out_took(peer, sizeof(LINE) - 1 + n + 2);
    gh_out_flush(peer->server);
    gh_uncork(peer, before);
}

PyObject *
gh_peer_early_hints(PyObject *self, PyObject *const *args, Py_ssize_t n_args)
{
    gh_peer *peer = (gh_peer *)self;
    if (n_args != 2 || !PyBytes_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "early_hints() takes a request and bytes");
        return NULL;
    }
    size_t n = (size_t)PyBytes_GET_SIZE(args[1]);
    if (n > MOST)
        return PyErr_Format(PyExc_ValueError, "early hints are at most %d bytes, found %zu", MOST,
                            n);
    if (!is_on_loop(peer->server))
        return NULL;
    if (peer->request == args[0] && peer->sent_head) {
        PyErr_SetString(PyExc_RuntimeError,
                        "the answer has begun: it is too late for early hints");
        return NULL;
    }
    bool waiting = peer->state == GH_RUNNING || peer->state == GH_MAKING;
    /* Clients of 1.0 take the first answer for the only one (RFC 9110, 15.2). */
    if (peer->stream == NULL || peer->request != args[0] || !waiting || peer->http10 || n == 0)
        Py_RETURN_FALSE;
    send_hints(peer, PyBytes_AS_STRING(args[1]), n);
    Py_RETURN_TRUE;
}
