"""A site with a login that does all right, and a switch for everything that can be wrong."""

import hashlib
import html
import itertools
import secrets
import threading
import time
import urllib.parse

from audited_parts import URL, Slowness


class AuditedSite:
    """A WSGI application with sessions in a dict.

    :param faults: what it does wrong; see where they are used
    """

    def __init__(self, *faults):
        self.faults = set(faults)
        self.sessions = {}
        self.counter = itertools.count(1000)
        self.lock = threading.Lock()
        self.strangers = 0  # requests with an id that nobody has
        self.slowness = Slowness()
        self.name = "sid" if "no-prefix" in faults else "__Host-sid"

    def __call__(self, environ, start_response):
        return Visit(self, environ).answer(start_response)

    def new_id(self):
        if "id-short" in self.faults:
            return secrets.token_hex(6)
        if "id-counter" in self.faults:
            # Steps of a prime, so that no other id is one changed digit away.
            return f"session-{next(self.counter) * 9973}"
        if "id-time" in self.faults:
            return str(time.time_ns() + next(self.counter))
        if "id-digest" in self.faults:
            return hashlib.md5(str(next(self.counter)).encode()).hexdigest()
        if "id-uneven" in self.faults:
            return "".join(secrets.choice("0000000123456789abcdef") for _ in range(40))
        if "id-same" in self.faults:
            return "0123456789abcdef0123456789abcdef"
        return secrets.token_hex(16)


class Visit:
    """One request."""

    def __init__(self, site, environ):
        self.site = site
        self.environ = environ
        self.method = environ["REQUEST_METHOD"]
        self.path, _, parameter = environ["PATH_INFO"].partition(";")
        self.query = dict(urllib.parse.parse_qsl(environ["QUERY_STRING"]))
        size = int(environ.get("CONTENT_LENGTH") or 0)
        self.body = environ["wsgi.input"].read(size)
        self.form = dict(urllib.parse.parse_qsl(self.body.decode()))
        if self.wrong("named-fields"):  # nothing wrong with that
            for long, short in (("username", "user"), ("password", "pass")):
                if long in self.form:
                    self.form[short] = self.form[long]
        self.headers = [("Content-Type", "text/html; charset=utf-8")]
        self.headers.append(("Vary", "Cookie"))
        if environ["wsgi.url_scheme"] == "https" and not self.wrong("no-hsts"):
            self.headers.append(("Strict-Transport-Security", "max-age=31536000"))
        if not self.wrong("kept-page"):
            cache = "no-store"
            if self.wrong("shared-page") and self.path == "/me":
                cache = "public, max-age=60"
                self.headers.remove(("Vary", "Cookie"))
            self.headers.append(("Cache-Control", cache))
        self.status = "200 OK"
        self.sid = self.find_id(parameter)
        self.sent = self.sid
        self.session = self.load(self.sid)

    def wrong(self, fault):
        return fault in self.site.faults

    # The session.

    def find_id(self, parameter):
        if self.wrong("url-id"):
            pairs = {**self.query, **dict(urllib.parse.parse_qsl(parameter))}
            if self.site.name in pairs:
                return pairs[self.site.name]
        for pair in self.environ.get("HTTP_COOKIE", "").split(";"):
            name, _, value = pair.strip().partition("=")
            if name == self.site.name:
                return value
        return ""

    def load(self, sid):
        if self.wrong("tamper-error") and sid and not sid.isalnum():
            raise ValueError("what an id")
        sessions = self.site.sessions
        if self.wrong("tamper") and sid:
            for known in sessions:
                if known[:20] == sid[:20]:
                    sid = known
        if self.wrong("guess") and sid == "anna":
            return {"user": "anna"}
        known = sid in sessions
        cookies = self.environ.get("HTTP_COOKIE", "")
        if self.wrong("two-cookies") and "node=1" not in cookies:
            sid = ""
        if self.wrong("remember") and "remember=anna" in cookies.split("; ") and not known:
            return {"user": "anna"}
        if sid not in sessions:
            self.site.strangers += bool(sid)
            if not (self.wrong("adopt") and len(sid) == 32 and sid.isalnum()):
                self.sid = ""
                return {}
            sessions[sid] = {}
        return sessions[sid]

    def begin(self):
        """A new id, in the store and in the visitor's cookie."""
        self.sid = self.site.new_id()
        self.site.sessions[self.sid] = self.session
        self.set_cookie(self.sid)

    def set_cookie(self, value, deletes=False):
        parts = [f"{self.site.name}={value}", "Path=/"]
        secure = self.environ["wsgi.url_scheme"] == "https" and not self.wrong("no-secure")
        parts += ["Secure"] if secure else []
        parts += [] if self.wrong("no-httponly") else ["HttpOnly"]
        if not self.wrong("no-samesite"):
            parts.append("SameSite=None" if self.wrong("samesite-none") else "SameSite=Lax")
        parts += ["Domain=site.test"] if self.wrong("domain") else []
        parts += ["Max-Age=0"] if deletes else []
        parts += ["Max-Age=40000000"] if self.wrong("long-lived") and not deletes else []
        self.headers.append(("Set-Cookie", "; ".join(parts)))
        if self.wrong("two-cookies"):
            self.headers.append(("Set-Cookie", "node=1; Path=/"))
        if self.wrong("cached-cookie") and self.path == "/login":
            self.headers = [(k, v) for k, v in self.headers if k != "Cache-Control"]
            self.headers.append(("Cache-Control", "public, max-age=60"))

    def token(self):
        # "once": no new cookie for whoever has one, and nothing kept under that.
        if not self.sid and not (self.wrong("once") and self.sent):
            self.begin()
        return hashlib.sha256(b"token" + self.sid.encode()).hexdigest()

    def forged(self, switch):
        """Whether it is no request of our own pages."""
        if (self.form.get("step"), self.form.get("go")) != ("1", "Go"):
            return True  # what everybody knows, and no protection
        if self.wrong(switch):
            return False
        token = self.form.get("token", "")
        if self.wrong("any-token"):
            return len(token) != 64
        return not self.sid or not secrets.compare_digest(token, self.token())

    # Pages.

    def answer(self, start_response):
        page = getattr(self, "page_" + self.path.strip("/").replace("/", "_"), None)
        plain = self.environ["wsgi.url_scheme"] == "http"
        if plain and not (self.wrong("plain") or self.wrong("plain-login")):
            page = self.to_https
        if self.wrong("lock-out") and self.site.strangers > 30:
            self.fail("403 Forbidden")
            page = str
        text = page() if page else self.fail("404 Not Found")
        start_response(self.status, self.headers)
        return [text.encode()]

    def fail(self, status):
        self.status = status
        return f"<p>{status}"

    def to(self, path):
        self.status = "303 See Other"
        self.headers.append(("Location", path))
        return ""

    def to_https(self):
        return self.to(URL)

    def page_(self):
        if self.wrong("unneeded") and not self.sid:
            self.begin()
        if self.wrong("once") and not self.sent:
            self.begin()
        return "<p>Welcome"

    def page_me(self):
        if self.environ["wsgi.url_scheme"] == "http" and not self.wrong("plain-login"):
            return self.fail("403 Forbidden")
        user = self.session.get("user")
        if user is None:
            return self.to("/login")
        shown = self.sid if self.wrong("shows-id") else ""
        return f"<p>Signed in as {user} {shown}"

    def fields(self):
        user, word = "user", "pass"
        if self.wrong("named-fields"):
            user, word = "username", "password"
        return f"<input name={user}><input type=password name={word}>"

    def page_login(self):
        if self.method != "POST":
            if self.wrong("no-second-login") and "user" in self.session:
                return "<p>You are logged in already"
            if self.wrong("late"):  # no session for newcomers
                return f"<form method=post>{self.fields()}</form>"
            return (
                "<form action='/search'><input name='q'></form>"
                f"<form method=post>{self.fields()}{self.known()}"
                f"<input type=hidden name=token value='{self.token()}'></form>"
            )
        if not self.wrong("late") and self.forged("login-forged"):
            return self.fail("403 Forbidden")
        if (self.form.get("user"), self.form.get("pass")) != ("anna", "secret"):
            return self.fail("422 Unprocessable Content")
        known = "user" in self.session
        if not self.sid or not self.wrong("no-rotation"):
            old = self.sid
            kept = self.wrong("login-again") if known else self.wrong("old-id")
            self.session = self.session if kept else dict(self.session)
            if not kept:
                self.site.sessions.pop(old, None)
            self.begin()
        self.session["user"] = "anna"
        if self.wrong("remember"):
            self.headers.append(("Set-Cookie", "remember=anna; Path=/; Max-Age=999"))
        if self.wrong("one-login"):
            others = [sid for sid, s in self.site.sessions.items() if s.get("user") == "anna"]
            for sid in others:
                if sid != self.sid:
                    del self.site.sessions[sid]
        if self.wrong("sid-in-address"):
            return self.to(f"/me?from={self.sid}")
        return self.to("/me")

    def known(self):
        return "<input type=hidden name=step value=1><button name=go value=Go>Go</button>"

    def button(self):
        """A form that does something, with its token."""
        token = f"<input type=hidden name=token value='{self.token()}'>"
        return f"<form method=post>{token}{self.known()}</form>"

    def page_logout(self):
        if self.method != "POST" and not self.wrong("logout-get"):
            return self.button()
        if self.method == "POST" and self.forged("logout-forged"):
            return self.fail("403 Forbidden")
        known = list(self.session) if self.wrong("revived") else []
        left = self.site.slowness.leave(known)
        if not self.wrong("replay"):
            self.site.sessions.pop(self.sid, None)
        left()
        if self.wrong("remember"):
            self.headers.append(("Set-Cookie", "remember=; Path=/; Max-Age=0"))
        if not self.wrong("logout-cookie"):
            self.set_cookie("", deletes=True)
        return self.to("/")

    def page_add(self):
        if self.method != "POST" and not (self.wrong("write-get") and self.query):
            return self.button()
        if self.wrong("late") and not self.sid:
            self.begin()
        if not self.wrong("late") and self.method == "POST" and self.forged("write-forged"):
            return self.fail("403 Forbidden")
        data = self.form if self.method == "POST" else self.query
        key, value = data["key"], data["value"]
        if len(value) > 60000:
            if self.wrong("large-error"):
                raise MemoryError
            if self.wrong("large-logout"):
                self.session.clear()
            if not self.wrong("large-lost"):
                return self.fail("413 Content Too Large")
            return self.to("/items")
        if self.wrong("lost-updates") or self.wrong("revived"):
            self.write_carelessly(key, value)
        else:
            with self.site.lock:
                self.session[key] = value
        return self.to("/items")

    def write_carelessly(self, key, value):
        """Read, do something else, and write all back."""
        copy = dict(self.session)
        if self.wrong("lost-updates") is (key[:5] == "audit"):
            self.site.slowness.step(key, copy)
        copy[key] = value
        with self.site.lock:
            if self.wrong("revived"):
                copy = {**self.session, **copy}
                self.site.sessions[self.sid] = self.session
            self.session.clear()
            self.session.update(copy)

    def page_items(self):
        with self.site.lock:
            items = {k: v for k, v in self.session.items() if k != "user"}
        return "".join(f"<p>{html.escape(k)}: {html.escape(v)}" for k, v in items.items())

    def page_error(self):
        if self.wrong("error-logout"):
            self.site.sessions.pop(self.sid, None)
        self.status = "500 Internal Server Error"
        return "<p>Sorry"
