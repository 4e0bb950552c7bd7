"""The compared site with guava-session: WSGI and ASGI, on the server and in cookies."""

import secrets

from audited_parts import (
    LOGIN,
    NO_STORE,
    Slowness,
    form,
    from_asgi,
    front,
    listed,
    read_form,
    to_asgi,
)
from guava_session import (
    ASGISessions,
    CookieStore,
    CSRFError,
    FileStore,
    MemoryStore,
    SessionManager,
    WSGISessions,
)


class Pages:
    """The site without its server: a request and a session in, an answer out."""

    def __init__(self):
        self.slowness = Slowness()

    def __call__(self, environ, session):
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        data = read_form(environ) if method == "POST" else {}
        if method == "POST":
            try:
                session.check_csrf(data.get("token"))
            except CSRFError:
                return 403, [], "no token"
        page = getattr(self, f"{method.lower()}_{path.strip('/') or 'start'}", None)
        return page(session, data) if page else (404, [], "nothing here")

    def get_start(self, session, data):
        return 200, [], "Welcome"

    def form(self, session, fields):
        token = f"<input type=hidden name=token value='{session.csrf_token()}'>"
        return 200, [NO_STORE], form(fields, token)

    def get_login(self, session, data):
        return self.form(session, LOGIN)

    def post_login(self, session, data):
        if (data.get("username"), data.get("password")) != ("anna", "secret"):
            return 422, [], "no"
        session.bind("anna")
        return 303, [("Location", "/me")], ""

    def get_me(self, session, data):
        if session.user_id is None:
            return 303, [("Location", "/login")], ""
        return 200, [NO_STORE], f"Signed in as {session.user_id}"

    def get_logout(self, session, data):
        return self.form(session, "")

    def post_logout(self, session, data):
        left = self.slowness.leave(list(session))
        session.destroy()
        left()
        return 303, [("Location", "/")], ""

    def get_add(self, session, data):
        return self.form(session, "")

    def post_add(self, session, data):
        self.slowness.step(data["key"], list(session))
        session[data["key"]] = data["value"]
        return 303, [("Location", "/items")], ""

    def get_items(self, session, data):
        return 200, [NO_STORE], listed(session.items())

    def get_error(self, session, data):
        session["half"] = "done"
        raise ZeroDivisionError


def wsgi(store):
    pages = Pages()

    def application(environ, start_response):
        status, fields, text = pages(environ, environ["guava.session"])
        start_response(f"{status} Done", [("Content-Type", "text/html"), *fields])
        return [text.encode()]

    manager = SessionManager(store, host_prefix=True, secure=True)
    return front(WSGISessions(application, manager))


def asgi(store):
    manager = SessionManager(store, host_prefix=True, secure=True)
    return front(from_asgi(ASGISessions(to_asgi(Pages()), manager)))


def sites(folder):
    """Names and applications."""
    return {
        "guava-session, memory (WSGI)": wsgi(MemoryStore()),
        "guava-session, files (ASGI)": asgi(FileStore(folder / "sessions")),
        "guava-session, cookie": wsgi(CookieStore(secrets.token_bytes(32))),
    }
