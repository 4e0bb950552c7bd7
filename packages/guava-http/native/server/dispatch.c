/* dispatch.c: from a request to the handler and from what it gives to an answer. */
#include "server/parts.h"

#define JSON "application/json"

static void respond(gh_peer *peer, PyObject *result, bool final);
static void respond_plainly(gh_peer *peer, PyObject *result, bool final);
static void answer_encoded(gh_peer *peer, PyObject *given, PyObject *choice);

PyObject *
gh_take_exception(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL)
        (void)PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
#endif
}

static void
report(gh_peer *peer)
{
    gh_server *server = peer->server;
    if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) ||
        PyErr_ExceptionMatches(PyExc_SystemExit)) {
        server->api->error(server->loop, "a handler stopped the server", (PyObject *)peer);
        return;
    }
    if (peer->stream == NULL && PyErr_ExceptionMatches(server->part->cancelled)) {
        /* Whoever cuts connections off, at the end of the program say, knows of it. */
        PyErr_Clear();
        return;
    }
    PyObject *exception = gh_take_exception();
    PyObject *request = peer->request == NULL ? Py_None : peer->request;
    PyObject *done = PyObject_CallFunctionObjArgs(server->log, request, exception, NULL);
    if (done == NULL)
        PyErr_WriteUnraisable(server->log);
    Py_XDECREF(done);
    Py_DECREF(exception);
}

/* The answer that has begun is not going to end. Those in front of it are whole and stay so: the
 * client takes them, and sees by its framing that this one is not. Without any only a reset tells.
 */
static void
break_off(gh_peer *peer, bool framed)
{
    gh_out_flush(peer->server);
    if (!framed || peer->state != GH_MAKING) {
        gh_peer_reset(peer);
        return;
    }
    peer->keep_alive = false;
    gh_peer_finish(peer);
}

void
gh_fail(gh_peer *peer)
{
    int status = gh_request_error_status(peer->server->module);
    bool abandoned = status == 0 && gh_request_is_abandoned(peer->server->module);
    if (abandoned)
        status = 400;
    /* What the client got wrong is not logged, even where it is too late to say so. */
    if (status != 0)
        PyErr_Clear();
    else
        report(peer);
    bool framed = peer->chunked || peer->left >= 0;
    gh_produce_drop(peer);
    if (peer->stream == NULL)
        gh_peer_finish(peer);
    else if (peer->sent_head)
        break_off(peer, framed);
    else
        gh_answer_status(peer, status != 0 ? status : 500, "");
}

static void
answer_text(gh_peer *peer, gh_reply *reply, PyObject *text)
{
    Py_ssize_t n;
    const char *bytes = PyUnicode_AsUTF8AndSize(text, &n);
    if (bytes == NULL) {
        gh_fail(peer);
        return;
    }
    reply->length = n;
    gh_answer(peer, reply, bytes, (size_t)n, text);
}

static void
answer_bytes(gh_peer *peer, gh_reply *reply, PyObject *bytes)
{
    reply->length = PyBytes_GET_SIZE(bytes);
    gh_answer(peer, reply, PyBytes_AS_STRING(bytes), (size_t)reply->length, bytes);
}

static void
answer_json(gh_peer *peer, PyObject *object)
{
    PyObject *text = gh_json_dumps(peer->server->module, object);
    if (text == NULL) {
        gh_fail(peer);
        return;
    }
    gh_reply reply = {
        .status = 200,
        .type = JSON,
        .type_len = sizeof(JSON) - 1,
        .keep_alive = true,
    };
    answer_bytes(peer, &reply, text);
    Py_DECREF(text);
}

static bool
is_async_iterable(PyObject *object)
{
    PyAsyncMethods *methods = Py_TYPE(object)->tp_as_async;
    return methods != NULL && methods->am_aiter != NULL;
}

static bool
is_awaitable(PyObject *object)
{
    PyAsyncMethods *methods = Py_TYPE(object)->tp_as_async;
    return methods != NULL && methods->am_await != NULL;
}

static void
answer_pieces(gh_peer *peer, gh_reply *reply, PyObject *response, PyObject *body)
{
    if (is_async_iterable(body)) {
        gh_produce_async(peer, reply, response, body);
        return;
    }
    PyObject *iterator = PyObject_GetIter(body);
    if (iterator == NULL) {
        gh_fail(peer);
        return;
    }
    gh_produce(peer, reply, response, iterator);
    Py_DECREF(iterator);
}

/* A length that the response's own fields declare must be true, or the next answer on this
 * connection would begin in the middle of this one. */
static bool
check_length(gh_peer *peer, const gh_reply *reply, Py_ssize_t n)
{
    if (reply->length < 0 || reply->length == n || gh_is_bodyless(peer, reply->status))
        return true;
    PyErr_Format(PyExc_ValueError, "Content-Length is %lld, the body has %zd bytes",
                 (long long)reply->length, n);
    gh_fail(peer);
    return false;
}

/* A body that is complete, but has to go out in chunks: fields follow it. */
static void
answer_in_chunks(gh_peer *peer, gh_reply *reply, PyObject *response, PyObject *body)
{
    PyObject *pieces = PyTuple_Pack(1, body);
    if (pieces == NULL) {
        gh_fail(peer);
        return;
    }
    answer_pieces(peer, reply, response, pieces);
    Py_DECREF(pieces);
}

static void
answer_body(gh_peer *peer, gh_reply *reply, PyObject *response, PyObject *body)
{
    bool is_text = PyUnicode_Check(body);
    bool answers_itself = gh_file_response_check(peer->server->module, response);
    bool is_file = answers_itself || gh_file_body_check(peer->server->module, body);
    PyObject *trailers = is_file ? NULL : gh_response_trailers(response);
    if (trailers != NULL) {
        bool follow = gh_trail(peer, reply, trailers);
        if (!follow && PyErr_Occurred()) {
            gh_fail(peer);
            return;
        }
        if (follow && (is_text || PyBytes_Check(body))) {
            answer_in_chunks(peer, reply, response, body);
            return;
        }
    }
    if (is_text) {
        Py_ssize_t n;
        if (PyUnicode_AsUTF8AndSize(body, &n) == NULL)
            gh_fail(peer);
        else if (check_length(peer, reply, n))
            answer_text(peer, reply, body);
    } else if (PyBytes_Check(body)) {
        if (check_length(peer, reply, PyBytes_GET_SIZE(body)))
            answer_bytes(peer, reply, body);
    } else if (answers_itself) {
        gh_send_file_response(peer, reply, response);
    } else if (is_file) {
        gh_send_file(peer, reply, body);
    } else {
        answer_pieces(peer, reply, response, body);
    }
}

static void
answer_response(gh_peer *peer, PyObject *response)
{
    gh_reply reply = {.keep_alive = true};
    PyObject *body;
    if (gh_response_reply(response, &reply, &body) < 0) {
        gh_fail(peer);
        return;
    }
    if (reply.status < 200) {
        PyErr_Format(PyExc_ValueError, "%d is no final status", reply.status);
        gh_fail(peer);
        return;
    }
    /* 205 asks for the form to be emptied, and has no content (RFC 9110, 15.3.6). */
    if (body == Py_None || reply.status == 205) {
        /* Only where no body may follow can a length stand without one. */
        if (!check_length(peer, &reply, 0))
            return;
        if (reply.length < 0 && reply.status != 304)
            reply.length = 0;
        gh_answer(peer, &reply, "", 0, NULL);
        return;
    }
    Py_INCREF(body);
    answer_body(peer, &reply, response, body);
    Py_DECREF(body);
}

/* What few responses ask for comes first; and the server may want to compress. */
static void
answer_given(gh_peer *peer, PyObject *response)
{
    PyObject *choice = gh_response_compression(response);
    if (gh_keep_work(peer, response) < 0) {
        gh_fail(peer);
    } else if (choice == Py_False || (choice == NULL && peer->server->encode == NULL)) {
        answer_response(peer, response);
    } else {
        answer_encoded(peer, response, choice);
    }
}

/* Nobody will hear of it: it is to end. Keeps the exception that is set. */
static void
give_task_up(PyObject *task)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *done = PyObject_CallMethod(task, "cancel", NULL);
    if (done == NULL)
        PyErr_WriteUnraisable(task);
    Py_XDECREF(done);
    PyErr_Restore(type, value, traceback);
}

/* The coroutine has not ended in its first step: its task goes on, and calls the peer when done.
 */
void
gh_wait_for(gh_peer *peer, PyObject *task)
{
    /* Not in the request's context: iterators are advanced from there, and enter that. */
    PyObject *done =
        PyObject_CallMethodOneArg(task, peer->server->part->add_done_callback, (PyObject *)peer);
    if (done == NULL) {
        give_task_up(task);
        gh_fail(peer);
        return;
    }
    Py_DECREF(done);
    peer->task = Py_NewRef(task);
    peer->server->n_tasks++;
}

static void
run(gh_peer *peer, PyObject *awaitable)
{
    gh_server *server = peer->server;
    PyObject *result = NULL;
    PyObject *coroutine = PyCoro_CheckExact(awaitable)
                              ? Py_NewRef(awaitable)
                              : PyObject_CallOneArg(server->wrap, awaitable);
    int status = coroutine == NULL
                     ? -1
                     : server->api->step(server->loop, coroutine, peer->context, &result);
    Py_XDECREF(coroutine);
    if (status < 0)
        gh_fail(peer);
    else if (status > 0)
        gh_wait_for(peer, result);
    else
        respond(peer, result, true);
    Py_XDECREF(result);
}

/* Instead of what the handler gave, what compression makes of it, which may take a thread. */
static void
answer_encoded(gh_peer *peer, PyObject *given, PyObject *choice)
{
    PyObject *result = gh_encoded(peer, given, choice);
    if (result == NULL)
        gh_fail(peer);
    else if (is_awaitable(result))
        run(peer, result);
    else if (gh_response_check(peer->server->module, result))
        answer_response(peer, result);
    else
        respond_plainly(peer, result, true);
    Py_XDECREF(result);
}

static void
refuse_result(gh_peer *peer, PyObject *result)
{
    if (is_awaitable(result))
        PyErr_Format(PyExc_TypeError,
                     "a handler's coroutine gave %.200s: await it there, and return what comes",
                     Py_TYPE(result)->tp_name);
    else
        PyErr_Format(
            PyExc_TypeError,
            "a handler gave %.200s: it may give str, bytes, a dict or list (as JSON), a "
            "Response, a tuple (body, status[, headers]), a FileBody, an iterator or async "
            "iterator of str or bytes, or an awaitable or concurrent.futures.Future of "
            "one of these",
            Py_TYPE(result)->tp_name);
    gh_fail(peer);
}

/* (body, status) or (body, status, headers). */
static void
answer_tuple(gh_peer *peer, PyObject *tuple)
{
    Py_ssize_t n = PyTuple_GET_SIZE(tuple);
    if (n != 2 && n != 3) {
        refuse_result(peer, tuple);
        return;
    }
    PyObject *response = gh_response_make(peer->server->module, tuple);
    if (response == NULL)
        gh_fail(peer);
    else
        answer_given(peer, response);
    Py_XDECREF(response);
}

/* What another thread will give: asyncio waits for it on the loop. */
static bool
is_future(gh_peer *peer, PyObject *result)
{
    return PyObject_TypeCheck(result, (PyTypeObject *)peer->server->part->future);
}

static void
answer_other(gh_peer *peer, PyObject *result, bool final)
{
    gh_reply reply = {
        .status = 200,
        .type = gh_type_html,
        .type_len = sizeof(gh_type_html) - 1,
        .length = -1,
        .keep_alive = true,
    };
    if (!final && (is_awaitable(result) || is_future(peer, result))) {
        run(peer, result);
    } else if (PyTuple_Check(result)) {
        answer_tuple(peer, result);
    } else if (gh_file_body_check(peer->server->module, result)) {
        reply.type = "application/octet-stream";
        reply.type_len = sizeof("application/octet-stream") - 1;
        gh_send_file(peer, &reply, result);
    } else if (PyIter_Check(result) || is_async_iterable(result)) {
        answer_pieces(peer, &reply, NULL, result);
    } else if (PyObject_HasAttrString(result, "__guava_upgrade__")) {
        gh_upgrade(peer, result);
    } else {
        refuse_result(peer, result);
    }
}

static void
respond_plainly(gh_peer *peer, PyObject *result, bool final)
{
    gh_reply reply = {
        .status = 200,
        .type = gh_type_html,
        .type_len = sizeof(gh_type_html) - 1,
        .keep_alive = true,
    };
    if (PyUnicode_Check(result))
        answer_text(peer, &reply, result);
    else if (!final && PyCoro_CheckExact(result))
        run(peer, result);
    else if (gh_response_check(peer->server->module, result))
        answer_given(peer, result);
    else if (PyBytes_Check(result))
        answer_bytes(peer, &reply, result);
    else if (PyDict_Check(result) || PyList_Check(result))
        answer_json(peer, result);
    else
        answer_other(peer, result, final);
}

/* Looks at what the handler gave. `final`: it has been awaited already. */
static void
respond(gh_peer *peer, PyObject *result, bool final)
{
    /* Those that say something about themselves are looked at where they are answered. */
    if (peer->server->encode != NULL && !gh_response_check(peer->server->module, result) &&
        !PyTuple_Check(result) && (final || !(is_awaitable(result) || is_future(peer, result))))
        answer_encoded(peer, result, NULL);
    else
        respond_plainly(peer, result, final);
}

/* The answer takes longer than this callback. The bytes that the request refers to are the loop's
 * and go when we return to it; and how long a handler takes is its own affair. */
static void
keep(gh_peer *peer)
{
    if (peer->request != NULL && gh_request_detach(peer->request) < 0)
        gh_peer_give_up(peer); /* what the handler makes of an empty one is no answer */
    bool reading = peer->reader != NULL && !peer->body_held;
    if (!peer->filing && !reading)
        gh_disarm(peer);
}

void
gh_dispatch(gh_peer *peer)
{
    gh_server *server = peer->server;
    peer->state = GH_RUNNING;
    peer->sent_head = false;
    PyObject *result = NULL;
    PyObject *handler = peer->threaded ? server->threaded : server->handler;
    peer->threaded = false;
    peer->context = PyContext_Copy(server->context);
    if (peer->context != NULL && PyContext_Enter(peer->context) == 0) {
        PyObject *args[2] = {NULL, peer->request};
        result = PyObject_Vectorcall(handler, args + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
        if (PyContext_Exit(peer->context) < 0)
            Py_CLEAR(result);
    }
    if (result == NULL) {
        gh_fail(peer);
    } else {
        respond(peer, result, false);
        Py_DECREF(result);
    }
    if (peer->state == GH_RUNNING || peer->state == GH_MAKING)
        keep(peer);
}

void
gh_dispatch_done(gh_peer *peer, PyObject *task)
{
    PyObject *result = PyObject_CallMethodNoArgs(task, peer->server->part->result);
    if (result == NULL)
        gh_fail(peer);
    else if (peer->stream == NULL)
        gh_peer_finish(peer);
    else
        respond(peer, result, true);
    Py_XDECREF(result);
}
