"""GuavaSessions: Flask's session in our stores, and Flask-Login on it."""

import datetime
import logging
import subprocess
import sys
import time

import pytest
from guava_session import MemoryStore, SessionManager, StoreError

flask = pytest.importorskip("flask", reason="Flask's face is tested with Flask")
from guava_session.flask import FlaskSession, GuavaSessions  # noqa: E402
from markupsafe import Markup  # noqa: E402


def make_app(store, **config):
    app = flask.Flask(__name__)
    app.config.update(config)
    GuavaSessions(app, store)

    @app.get("/count")
    def count():
        flask.session["n"] = flask.session.get("n", 0) + 1
        return str(flask.session["n"])

    @app.get("/look")
    def look():
        return str(flask.session.get("n"))

    @app.get("/plain")
    def plain():
        return "plain"

    @app.get("/cached")
    def cached():
        flask.session["n"] = 1
        return flask.Response("x", headers={"Cache-Control": "public, max-age=60"})

    @app.get("/nested")
    def nested():
        flask.session.setdefault("cart", []).append(7)
        return flask.jsonify(flask.session["cart"])

    @app.get("/stay/<int:yes>")
    def stay(yes):
        flask.session.permanent = bool(yes)
        return str(flask.session.permanent)

    @app.get("/bind/<user>")
    def bind(user):
        flask.session.bind(user)
        return user

    @app.get("/who")
    def who():
        return str(flask.session.user_id)

    @app.get("/out")
    def out():
        flask.session.destroy()
        return "out"

    @app.get("/fail")
    def fail():
        flask.session["n"] = 1000
        raise ZeroDivisionError

    @app.get("/say/<text>")
    def say(text):
        flask.flash(text, "good")
        flask.flash(Markup("<b>bold</b>"))
        return "said"

    @app.get("/said")
    def said():
        return flask.render_template_string(
            "{% for category, text in get_flashed_messages(with_categories=true) %}"
            "{{ category }}:{{ text }};{% endfor %}"
        )

    return app


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def client(store):
    return make_app(store).test_client()


def test_it_is_flasks_session_and_ours(store):
    with make_app(store).test_request_context():
        session = flask.session._get_current_object()
        assert isinstance(session, FlaskSession)
        assert isinstance(session, flask.sessions.SessionMixin)
        assert session.new and not session.modified and not session.permanent
        session["a"] = 1
        assert session.modified and session.accessed


def test_a_cookie_is_sent_when_there_is_something_to_tell(client):
    answer = client.get("/plain")
    assert "Set-Cookie" not in answer.headers and "Vary" not in answer.headers
    answer = client.get("/look")
    assert "Set-Cookie" not in answer.headers and answer.headers["Vary"] == "Cookie"
    answer = client.get("/count")
    name, _, rest = answer.headers["Set-Cookie"].partition("=")
    assert name == "session" and rest.partition("; ")[2] == "Path=/; HttpOnly; SameSite=Lax"
    assert answer.cache_control.private and answer.headers["Vary"] == "Cookie"
    answer = client.get("/count")
    assert answer.text == "2" and "Set-Cookie" not in answer.headers
    assert client.get("/cached").cache_control.to_header() == "public, max-age=60"
    fresh = client.application.test_client()
    assert "public" not in fresh.get("/cached").headers["Cache-Control"]


def test_changes_inside_values_are_saved(client):
    client.get("/nested")
    assert client.get("/nested").json == [7, 7]


def test_an_id_of_somebody_elses_making_is_not_adopted(client, store):
    planted = store.generate_id()
    client.set_cookie("session", planted)
    answer = client.get("/count")
    assert "Set-Cookie" in answer.headers and planted not in answer.headers["Set-Cookie"]
    assert store.get(planted) is None


def test_the_configuration_counts(store):
    app = make_app(
        store,
        SESSION_COOKIE_NAME="guava_sid",
        SESSION_COOKIE_PATH="/",
        SESSION_COOKIE_DOMAIN="shop.example",
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_HTTPONLY=False,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_PARTITIONED=True,
    )
    text = app.test_client().get("/count").headers["Set-Cookie"]
    assert text.startswith("guava_sid=")
    assert text.partition("; ")[2] == (
        "Domain=shop.example; Path=/; Secure; SameSite=Strict; Partitioned"
    )
    app.config["SESSION_COOKIE_NAME"] = "other"
    assert app.test_client().get("/count").headers["Set-Cookie"].startswith("other=")
    app.config.update(SESSION_COOKIE_SECURE=False, SESSION_COOKIE_SAMESITE="None")
    assert app.test_client().get("/count").status_code == 500
    app.testing = True
    with pytest.raises(ValueError, match="SameSite=None needs Secure"):
        app.test_client().get("/count")


def test_secure_follows_the_request(client):
    answer = client.get("/count", base_url="https://localhost")
    assert "; Secure" in answer.headers["Set-Cookie"]


def test_a_managers_options_count(store):
    manager = SessionManager(store, cookie_name="mine", same_site="Strict", max_age=60)
    app = make_app(manager, SESSION_COOKIE_NAME="not this")
    text = app.test_client().get("/count").headers["Set-Cookie"]
    assert text.startswith("mine=") and "Max-Age=60" in text and "SameSite=Strict" in text


def test_permanent(client):
    client.application.config["PERMANENT_SESSION_LIFETIME"] = datetime.timedelta(days=3)
    assert "Max-Age" not in client.get("/count").headers["Set-Cookie"]
    assert client.get("/look").text == "1"
    assert "Max-Age=259200" in client.get("/stay/1").headers["Set-Cookie"]
    assert "Set-Cookie" not in client.get("/look").headers
    assert "Max-Age=259200" in client.get("/count").headers["Set-Cookie"]
    answer = client.get("/stay/0")
    assert "Max-Age" not in answer.headers["Set-Cookie"] and answer.text == "False"


def test_an_unused_session_ends_after_its_lifetime(store):
    app = make_app(store, PERMANENT_SESSION_LIFETIME=100_000)
    client = app.test_client()
    client.get("/count")
    assert client.get("/look").text == "1"
    for manager in app.session_interface._made[1:]:
        manager._clock = lambda: time.time() + 100_001
    assert client.get("/look").text == "None"


def test_flash(client):
    client.get("/say/hello")
    client.get("/say/again")
    text = client.get("/said").text
    bold = "message:<b>bold</b>;"
    assert text == f"good:hello;{bold}good:again;{bold}"
    assert client.get("/said").text == ""


def test_flash_gives_back_what_flask_gave(store):
    with make_app(store).test_request_context():
        flask.flash("one", "good")
        flask.flash("two")
        session = flask.session._get_current_object()
        session.save()
        assert flask.get_flashed_messages(with_categories=True) == [
            ("good", "one"),
            ("message", "two"),
        ]
        assert "_flashes" not in session


def test_the_session_is_saved_with_an_error_page_as_in_flask(client):
    client.get("/count")
    assert client.get("/fail").status_code == 500
    assert client.get("/look").text == "1000"


def test_session_transaction(client):
    with client.session_transaction() as session:
        session["n"] = 41
    assert client.get("/count").text == "42"
    with client.session_transaction() as session:
        assert session["n"] == 42
        session.bind("anna")
    assert client.get("/who").text == "anna"


def test_bind_rotates_and_sign_out_everywhere_ends_all(client, store):
    client.get("/count")
    before = client.get_cookie("session").value
    client.get("/bind/anna")
    after = client.get_cookie("session").value
    assert before != after and store.get(before) is None
    other = client.application.test_client()
    other.get("/bind/anna")
    SessionManager(store).sign_out_everywhere("anna")
    assert client.get("/who").text == other.get("/who").text == "None"
    assert client.get_cookie("session") is None


def test_destroy_takes_the_cookie_back(client):
    client.get("/count")
    assert "Max-Age=0" in client.get("/out").headers["Set-Cookie"]
    assert client.get_cookie("session") is None and client.get("/look").text == "None"


def test_clear_signs_out_as_in_flask(client, store):
    @client.application.get("/clear/<user>")
    def clear(user):
        flask.session.clear()
        if user != "nobody":
            flask.session["name"] = user  # the login of Flask's tutorial
        return "cleared"

    client.get("/bind/anna")
    copy = client.get_cookie("session").value
    assert "Max-Age=0" in client.get("/clear/nobody").headers["Set-Cookie"]
    assert client.get_cookie("session") is None and store.get(copy) is None
    client.get("/count")
    planted = client.get_cookie("session").value
    client.get("/clear/anna")
    after = client.get_cookie("session").value
    assert after != planted and store.get(planted) is None and store.get(after)["name"] == "anna"
    assert client.get("/look").text == "None"


def test_a_lock_is_given_back_whatever_happens(store):
    manager = SessionManager(store, lock=True, lock_timeout=10_000)
    app = make_app(manager)
    client = app.test_client()
    assert client.get("/look").text == "None"
    client.get("/count")
    assert client.get("/fail").status_code == 500
    app.testing = True
    with pytest.raises(ZeroDivisionError):
        client.get("/fail")
    assert client.get("/count").text == "1001"


def test_of_parallel_requests_none_loses_an_update(store):
    app = make_app(store)
    client = app.test_client()
    client.get("/count")
    cookie = {"Cookie": f"session={client.get_cookie('session').value}"}
    with app.test_request_context(headers=cookie) as one:
        flask.session["a"] = 1
        with app.test_request_context(headers=cookie) as two:
            flask.session["b"] = 2
            app.process_response(flask.Response())
        del two
        app.process_response(flask.Response())
    del one
    with client.session_transaction() as session:
        assert dict(session) == {"n": 1, "a": 1, "b": 2}


def test_a_store_that_is_gone_is_an_error_and_no_empty_session(caplog):
    class Gone(MemoryStore):
        def get(self, sid):
            raise StoreError("the server does not answer")

        def set(self, sid, value):
            raise StoreError("the server does not answer")

    client = make_app(Gone()).test_client()
    with caplog.at_level(logging.ERROR):
        answer = client.get("/count")
        assert answer.status_code == 200 and "Set-Cookie" not in answer.headers
        assert "could not be saved" in caplog.text
        client.set_cookie("session", MemoryStore().generate_id())
        assert client.get("/look").status_code == 503
        assert "the store does not answer" in caplog.text
        assert client.get("/plain").status_code == 200
    app = make_app(Gone())
    app.register_error_handler(StoreError, lambda error: ("mine", 418))
    client = app.test_client()
    client.set_cookie("session", MemoryStore().generate_id())
    assert client.get("/look").status_code == 418


def test_wrong_arguments():
    with pytest.raises(TypeError, match="takes a SessionStore or a SessionManager"):
        GuavaSessions("redis://")
    with pytest.raises(TypeError, match="not NoneType"):
        GuavaSessions(flask.Flask(__name__))
    app = flask.Flask(__name__)
    app.session_interface = GuavaSessions(MemoryStore())
    with app.test_request_context(), pytest.raises(TypeError, match="of another interface"):
        app.session_interface.save_session(app, flask.sessions.NullSession(), flask.Response())


def test_without_flask_it_says_what_to_install():
    code = """
import sys
sys.modules["flask"] = None
try:
    import guava_session.flask
except ImportError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "pip install guava-session[flask]" in done.stdout


# Flask-Login.


@pytest.fixture
def login_app(store):
    flask_login = pytest.importorskip("flask_login", reason="it is tested on our sessions")
    app = make_app(store, SECRET_KEY="for the remember cookie")
    login_manager = flask_login.LoginManager(app)

    class User(flask_login.UserMixin):
        def __init__(self, name):
            self.id = name

    login_manager.user_loader(lambda name: User(name) if name in ("anna", "7") else None)

    @app.get("/login/<name>")
    def login(name):
        flask_login.login_user(User(name), remember="remember" in flask.request.args)
        return flask_login.current_user.id

    @app.get("/logout")
    def logout():
        flask_login.logout_user()
        return "out"

    @app.get("/me")
    @flask_login.login_required
    def me():
        return flask_login.current_user.id

    @app.get("/me/fresh")
    @flask_login.fresh_login_required
    def fresh():
        return flask_login.current_user.id

    return app


def test_flask_login(login_app, store):
    client = login_app.test_client()
    assert client.get("/me").status_code == 401
    client.get("/count")
    before = client.get_cookie("session").value
    client.get("/login/anna")
    assert client.get("/me").text == client.get("/me/fresh").text == "anna"
    assert store.get(before) is None  # its login has no fixation any more
    assert client.get("/who").text == "anna" and client.get("/look").text == "1"
    after = client.get_cookie("session").value
    client.get("/logout")
    assert client.get("/me").status_code == 401
    assert store.get(after) is None and client.get_cookie("session") is None


def test_flask_login_sees_a_login_from_elsewhere(login_app, store):
    client = login_app.test_client()
    manager = SessionManager(store)
    session = manager.open(None)
    session.bind(7)
    client.set_cookie("session", manager.commit(session).value)
    assert client.get("/me").text == "7"
    session = manager.open(client.get_cookie("session").value)
    session.bind("anna")  # somebody else signs in, by another framework
    client.set_cookie("session", manager.commit(session).value)
    assert client.get("/me").text == "anna"
    manager.sign_out_everywhere("anna")
    assert client.get("/me").status_code == 401


def test_flask_logins_remember_cookie(login_app):
    client = login_app.test_client()
    client.get("/login/anna?remember=1")
    assert client.get_cookie("remember_token") is not None
    client.delete_cookie("session")
    assert client.get("/me").text == "anna"
    assert client.get("/me/fresh").status_code == 401
    client.get("/logout")
    assert client.get_cookie("remember_token") is None and client.get("/me").status_code == 401


def test_the_key_of_flask_login_is_the_user(store):
    with make_app(store).test_request_context():
        session = flask.session._get_current_object()
        assert "_user_id" not in session and session.get("_user_id") is None
        for call in (lambda: session["_user_id"], lambda: session.pop("_user_id")):
            with pytest.raises(KeyError):
                call()
        session["_user_id"] = None
        assert session.user_id is None
        session["_user_id"] = "anna"
        assert session.user_id == session["_user_id"] == "anna" and "_user_id" in session
        session["_user_id"] = None
        assert session.user_id is None
        with pytest.raises(TypeError):
            session["_user_id"] = 1.5
