"""One small application four times: for WSGI and ASGI alone, in Flask, and in FastAPI."""

import os

import fastapi
import flask
from guava_session import ASGISessions, FileStore, SessionManager, WSGISessions
from guava_session.flask import GuavaSessions

sessions = SessionManager(FileStore(os.environ["SERVED_SESSIONS"]))


def answer(session, path):
    if path == "/count":
        session["n"] = session.get("n", 0) + 1
        return str(session["n"])
    if path == "/login":
        session.bind("anna")
    return str(session.user_id)


def plain_wsgi(environ, start_response):
    text = answer(environ["guava.session"], environ["PATH_INFO"])
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text.encode()]


async def plain_asgi(scope, receive, send):
    if scope["type"] != "http":
        # There is nothing to do at start and end; servers take an exception for that.
        raise NotImplementedError(scope["type"])
    text = answer(scope["session"], scope["path"]).encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(text))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text})


wsgi = WSGISessions(plain_wsgi, sessions)
asgi = ASGISessions(plain_asgi, sessions)

flask_app = flask.Flask(__name__)
GuavaSessions(flask_app, sessions)
flask_app.add_url_rule("/<path>", view_func=lambda path: answer(flask.session, f"/{path}"))

fastapi_app = fastapi.FastAPI()
fastapi_app.add_middleware(ASGISessions, manager=sessions)


@fastapi_app.get("/{path}", response_class=fastapi.responses.PlainTextResponse)
async def page(request: fastapi.Request, path: str):
    return answer(request.session, f"/{path}")
