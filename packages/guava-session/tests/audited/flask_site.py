"""The compared site in Flask: with its own sessions, as its documentation shows, and with ours."""

import secrets

import flask
from audited_parts import LOGIN, NO_STORE, Slowness, form, front, listed
from guava_session import MemoryStore
from guava_session.flask import GuavaSessions


def sites(folder):
    """Names and applications."""
    return {"Flask": make(), "Flask with guava-session": make(MemoryStore())}


def make(store=None):
    """The application; with a store, its sessions are ours."""
    app, slowness = flask.Flask("audited"), Slowness()
    # Flask, "Security Considerations", recommends these two.
    app.config.update(
        SECRET_KEY=secrets.token_hex(32),
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_SAMESITE="Lax",
    )
    if store is not None:
        GuavaSessions(app, store)
    session = flask.session

    def page(text):
        response = flask.make_response(text)
        response.headers[NO_STORE[0]] = NO_STORE[1]
        return response

    @app.get("/")
    def start():
        return "Welcome"

    @app.route("/login", methods=["GET", "POST"])
    def login():
        data = flask.request.form
        if flask.request.method == "GET":
            return page(form(LOGIN))
        if (data.get("username"), data.get("password")) != ("anna", "secret"):
            return "no", 422
        # By this name Flask-Login knows the user, and GuavaSessions, too.
        session["_user_id"] = data["username"]
        return flask.redirect("/me")

    @app.get("/me")
    def me():
        if "_user_id" not in session:
            return flask.redirect("/login")
        return page(f"Signed in as {session['_user_id']}")

    @app.route("/logout", methods=["GET", "POST"])
    def logout():
        if flask.request.method == "GET":
            return page(form(""))
        left = slowness.leave(list(session))
        session.clear()
        left()
        return flask.redirect("/")

    @app.route("/add", methods=["GET", "POST"])
    def add():
        if flask.request.method == "GET":
            return page(form(""))
        data = flask.request.form
        slowness.step(data["key"], list(session))
        session[data["key"]] = data["value"]
        return flask.redirect("/items")

    @app.get("/items")
    def items():
        return page(listed(session.items()))

    @app.get("/error")
    def error():
        session["half"] = "done"
        raise ZeroDivisionError

    app.logger.disabled = True
    return front(app.wsgi_app)
