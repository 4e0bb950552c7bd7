"""WSGISessions: a session for each request of a WSGI application."""

import io
import wsgiref.util
import wsgiref.validate

import pytest
from guava_session import MemoryStore, SessionManager, WSGISessions


@pytest.fixture
def manager():
    return SessionManager(MemoryStore())


class Browser:
    """Calls an application and keeps its cookie; everything is checked by wsgiref's validator."""

    def __init__(self, application, manager):
        self.application = wsgiref.validate.validator(WSGISessions(application, manager))
        self.cookie = None

    def get(self, path="/", scheme="http"):
        environ = {"PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": ""}
        environ |= {"wsgi.url_scheme": scheme, "wsgi.input": io.BytesIO()}
        if self.cookie:
            environ["HTTP_COOKIE"] = f"other=1; {self.cookie}"
        wsgiref.util.setup_testing_defaults(environ)
        answer = {}

        def start_response(status, headers, exc_info=None):
            answer.update(status=status, headers=headers)
            return lambda data: None

        body = self.application(environ, start_response)
        try:
            answer["body"] = b"".join(body)
        finally:
            body.close()
        for name, value in answer["headers"]:
            if name == "Set-Cookie":
                self.cookie = None if "Max-Age=0" in value else value.partition(";")[0]
        answer["fields"] = dict(answer["headers"])
        return answer


def application(environ, start_response):
    session, path = environ["guava.session"], environ["PATH_INFO"]
    if path == "/count":
        session["n"] = session.get("n", 0) + 1
    if path == "/out":
        session.destroy()
    if path == "/fail":
        session["n"] = 1000
        raise ZeroDivisionError
    text = str(session.get("n")) if path != "/plain" else "plain"
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]


def test_a_visit(manager):
    browser = Browser(application, manager)
    answer = browser.get("/plain")
    assert answer["headers"] == [("Content-Type", "text/plain")]
    answer = browser.get("/")
    assert answer["fields"]["Vary"] == "Cookie" and "Set-Cookie" not in answer["fields"]
    answer = browser.get("/count")
    assert answer["body"] == b"1" and answer["fields"]["Cache-Control"] == "private"
    assert answer["fields"]["Set-Cookie"].endswith("; Path=/; HttpOnly; SameSite=Lax")
    answer = browser.get("/count")
    assert answer["body"] == b"2" and "Set-Cookie" not in answer["fields"]
    browser.get("/out")
    assert browser.cookie is None and browser.get("/")["body"] == b"None"


def test_the_cookie_is_secure_behind_tls(manager):
    answer = Browser(application, manager).get("/count", scheme="https")
    assert answer["fields"]["Set-Cookie"].endswith("; Path=/; Secure; HttpOnly; SameSite=Lax")


def test_an_application_that_fails_saves_nothing(manager):
    browser = Browser(application, manager)
    browser.get("/count")
    with pytest.raises(ZeroDivisionError):
        browser.get("/fail")
    assert browser.get("/")["body"] == b"1"


def test_an_error_page_saves_nothing_but_keeps_the_cookie_of_what_is_saved(manager):
    def failing(environ, start_response):
        import sys

        session = environ["guava.session"]
        session["a"] = 1
        if environ["PATH_INFO"] == "/late":
            start_response("200 OK", [("Content-Type", "text/plain")])
        session["b"] = 2
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            start_response("500 Oops", [("Content-Type", "text/plain")], sys.exc_info())
        return [b"oops"]

    browser = Browser(failing, manager)
    answer = browser.get("/")
    assert answer["status"] == "500 Oops" and "Set-Cookie" not in answer["fields"]
    answer = browser.get("/late")
    assert answer["status"] == "500 Oops" and "Set-Cookie" in answer["fields"]


def test_a_generator_starts_its_response_when_it_is_asked(manager):
    def generator(environ, start_response):
        session = environ["guava.session"]
        session["n"] = session.get("n", 0) + 1
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"so far "
        session["late"] = True
        yield str(session["n"]).encode()

    browser = Browser(generator, manager)
    assert browser.get()["body"] == b"so far 1"
    assert browser.get()["body"] == b"so far 2"
    sid = browser.cookie.partition("=")[2]
    assert dict(manager.open(sid)) == {"n": 2, "late": True}


def late(change):
    def streaming(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"begun"
        change(environ["guava.session"])

    return streaming


def test_what_comes_too_late_is_told(manager, caplog):
    browser = Browser(late(lambda session: session.update(a=1)), manager)
    assert browser.get()["body"] == b"begun"
    assert browser.cookie is None and len(manager.store) == 0
    assert "a session was begun after the response had started" in caplog.text
    browser.application = wsgiref.validate.validator(WSGISessions(application, manager))
    browser.get("/count")
    browser.application = wsgiref.validate.validator(
        WSGISessions(late(lambda session: session.rotate()), manager)
    )
    browser.get()
    assert "a session got a new id after the response had started" in caplog.text


def test_files_stay_what_the_server_knows(manager, tmp_path):
    (tmp_path / "file").write_bytes(b"content")

    def serving(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return environ["wsgi.file_wrapper"]((tmp_path / "file").open("rb"))

    environ = {"wsgi.file_wrapper": wsgiref.util.FileWrapper}
    wsgiref.util.setup_testing_defaults(environ)
    body = WSGISessions(serving, manager)(environ, lambda status, headers: None)
    assert type(body) is wsgiref.util.FileWrapper
    body.close()


def test_one_piece_is_known_to_be_one(manager):
    environ = {}
    wsgiref.util.setup_testing_defaults(environ)
    body = WSGISessions(application, manager)(environ, lambda status, headers: None)
    assert len(body) == 1
