"""/flask/ of the shared login."""

import os
from typing import Any, cast

import accounts
import login_page
from flask import Flask, redirect, request, session
from guava_session import CSRFError, RedisStore
from guava_session.flask import FlaskSession, GuavaSessions
from werkzeug.wrappers import Response

app = Flask(__name__)
app.config["SESSION_COOKIE_NAME"] = "guava_sid"  # as the others call it
GuavaSessions(app, RedisStore(os.environ["SHARED_LOGIN_REDIS"]))


def current() -> FlaskSession:
    # For type checkers, who take flask.session for the one that Flask has by itself.
    return cast(FlaskSession, session)


@app.errorhandler(CSRFError)
def forged(error: CSRFError) -> tuple[str, int]:
    return str(error), 403


@app.before_request
def check_forms() -> None:
    if request.method == "POST":
        current().check_csrf(request.form.get("csrf"))


@app.get("/flask/")
def index() -> str:
    return login_page.show("flask", current().user_id, current().csrf_token())


@app.post("/flask/login")
def login() -> Any:
    name = request.form["name"]
    if not accounts.check(name, request.form["password"]):
        return "That name and password do not belong together.", 403
    current().bind(name)
    return back()


@app.post("/flask/logout")
def logout() -> Response:
    current().destroy()
    return back()


@app.post("/flask/everywhere")
def everywhere() -> Response:
    current().sign_out_everywhere()
    return back()


def back() -> Response:
    return redirect("/flask/", 303)
