/* options.c: Python's Limits and Timeouts as the numbers that a server goes by. */
#include "server/parts.h"

#include <math.h>

#define TICKS_PER_SECOND 10
#define MOST_TICK_MS 1000

/* Seconds, or None for no limit, as ticks. */
static int
read_seconds(PyObject *timeouts, const char *name, uint64_t *ticks)
{
    *ticks = GH_FOREVER;
    PyObject *value = PyObject_GetAttrString(timeouts, name);
    double seconds = value == NULL || value == Py_None ? INFINITY : PyFloat_AsDouble(value);
    Py_XDECREF(value);
    if (PyErr_Occurred())
        return -1;
    if (!(seconds > 0)) {
        PyErr_Format(PyExc_ValueError, "%s must be a positive number of seconds or None", name);
        return -1;
    }
    if (seconds < (double)GH_FOREVER / TICKS_PER_SECOND)
        *ticks = (uint64_t)ceil(seconds * TICKS_PER_SECOND);
    return 0;
}

static int
read_rate(PyObject *timeouts, uint32_t *rate)
{
    PyObject *value = PyObject_GetAttrString(timeouts, "body_rate");
    double bytes = value == NULL ? 0 : PyFloat_AsDouble(value);
    Py_XDECREF(value);
    if (PyErr_Occurred())
        return -1;
    if (!(bytes >= 0)) {
        PyErr_SetString(PyExc_ValueError, "body_rate must be 0 or more bytes per second");
        return -1;
    }
    *rate = bytes < UINT32_MAX ? (uint32_t)ceil(bytes) : UINT32_MAX;
    return 0;
}

/* A tick an eighth of the shortest timeout, so that none is late by more than that. */
static unsigned
choose_tick(const gh_server *server)
{
    const uint64_t ticks[] = {server->head_ticks, server->body_ticks, server->keep_alive_ticks,
                              server->write_ticks, server->request_ticks};
    uint64_t shortest = GH_FOREVER;
    for (size_t i = 0; i < sizeof(ticks) / sizeof(*ticks); i++)
        shortest = ticks[i] < shortest ? ticks[i] : shortest;
    uint64_t ms = shortest * GH_TICK_MS / 8;
    ms = ms > MOST_TICK_MS ? MOST_TICK_MS : ms;
    return ms < GH_TICK_MS ? GH_TICK_MS : (unsigned)ms;
}

int
gh_options_read(gh_server *server, PyObject *limits, PyObject *timeouts)
{
    uint64_t pipelined, connections, requests;
    if (gh_limits_read(limits, &server->limits) < 0 ||
        gh_number_read(limits, "pipelined", 1, 1u << 30, &pipelined) < 0 ||
        gh_number_read(limits, "requests", 0, UINT32_MAX, &requests) < 0 ||
        gh_number_read(limits, "connections", 1, 1u << 30, &connections) < 0 ||
        read_seconds(timeouts, "head", &server->head_ticks) < 0 ||
        read_seconds(timeouts, "body", &server->body_ticks) < 0 ||
        read_seconds(timeouts, "keep_alive", &server->keep_alive_ticks) < 0 ||
        read_seconds(timeouts, "write", &server->write_ticks) < 0 ||
        read_seconds(timeouts, "request", &server->request_ticks) < 0 ||
        read_rate(timeouts, &server->body_rate) < 0)
        return -1;
    server->pipelined = (size_t)pipelined;
    server->most_connections = (size_t)connections;
    server->most_requests = (uint32_t)requests;
    server->counts_requests = requests != 0 || server->request_ticks != GH_FOREVER;
    server->tick_ms = choose_tick(server);
    server->slack = server->tick_ms / GH_TICK_MS; /* `now` may be older by one tick */
    Py_XSETREF(server->limits_object, Py_NewRef(limits));
    return 0;
}
