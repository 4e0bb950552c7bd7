"""A visitor's cookies, kept and sent as browsers do (RFC 6265bis, sections 5.5 to 5.8)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from .client import Answer

#: Bytes of name and value together: browsers drop what is longer (RFC 6265bis, section 5.6).
MAX_COOKIE = 4096

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class SetCookie:
    """One Set-Cookie field, read as browsers read it."""

    name: str
    value: str
    url: str  #: of the answer that set it
    attributes: dict[str, str] = field(default_factory=dict)  #: names in lower case

    @classmethod
    def parse(cls, text: str, url: str) -> SetCookie | None:
        """The field's value, read; None for one that browsers ignore."""
        pair, *rest = text.split(";")
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            return None
        attributes = {}
        for part in rest:
            key, _, content = part.partition("=")
            attributes[key.strip().lower()] = content.strip()
        return cls(name.strip(), value.strip(), url, attributes)

    @property
    def lifetime(self) -> float | None:
        """Seconds until the browser forgets it; None: when it is closed."""
        if "max-age" in self.attributes:
            try:
                return float(int(self.attributes["max-age"]))
            except ValueError:
                pass
        if "expires" in self.attributes:
            try:
                when = parsedate_to_datetime(self.attributes["expires"])
                return when.timestamp() - time.time()
            except (ValueError, TypeError, OverflowError):
                pass
        return None

    @property
    def deletes(self) -> bool:
        """Whether it makes the browser forget the cookie."""
        lifetime = self.lifetime
        return lifetime is not None and lifetime <= 0

    @property
    def path(self) -> str:
        """What the paths of requests must begin with to carry it."""
        path = self.attributes.get("path", "")
        if path.startswith("/"):
            return path
        return urlsplit(self.url).path.rpartition("/")[0] or "/"

    @property
    def domain(self) -> str:
        """The host it belongs to, or the domain, with a dot in front."""
        domain = self.attributes.get("domain", "").lstrip(".").lower()
        return f".{domain}" if domain else urlsplit(self.url).hostname or ""

    def goes_to(self, url: str) -> bool:
        """Whether a browser sends it along with a request for url."""
        parts = urlsplit(url)
        host, path = parts.hostname or "", parts.path or "/"
        if self.domain.startswith("."):
            if not f".{host}".endswith(self.domain):
                return False
        elif host != self.domain:
            return False
        if "secure" in self.attributes and parts.scheme != "https" and host not in _LOOPBACK:
            return False
        prefix = self.path
        return path == prefix or path.startswith(prefix if prefix[-1] == "/" else f"{prefix}/")


class Jar:
    """The cookies of one visitor."""

    def __init__(self) -> None:
        self._cookies: dict[tuple[str, str, str], SetCookie] = {}
        #: What a browser would not have kept, because it is too long.
        self.dropped: list[SetCookie] = []

    def copy(self) -> Jar:
        """One that changes on its own."""
        other = Jar()
        other._cookies = dict(self._cookies)
        return other

    def take(self, answer: Answer) -> list[SetCookie]:
        """Keep what an answer sets; all its cookies."""
        found = set_cookies(answer)
        for cookie in found:
            if len(cookie.name) + len(cookie.value) > MAX_COOKIE:
                self.dropped.append(cookie)  # one that was there before stays
                continue
            key = (cookie.name, cookie.domain, cookie.path)
            self._cookies.pop(key, None)  # the latest is last, see get()
            if not cookie.deletes:
                self._cookies[key] = cookie
        return found

    def header(self, url: str) -> str:
        """The Cookie field of a request for url; "" without one."""
        found = [cookie for cookie in self._cookies.values() if cookie.goes_to(url)]
        found.sort(key=lambda cookie: -len(cookie.path))
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in found)

    def get(self, name: str) -> str | None:
        """The value of the cookie with this name, the latest of several."""
        for cookie in reversed(self._cookies.values()):
            if cookie.name == name:
                return cookie.value
        return None

    def names(self) -> list[str]:
        """The names of all cookies."""
        return list(dict.fromkeys(cookie.name for cookie in self._cookies.values()))

    def remove(self, name: str) -> None:
        """Forget the cookie with this name."""
        self._cookies = {k: cookie for k, cookie in self._cookies.items() if cookie.name != name}

    def plant(self, name: str, value: str, url: str) -> None:
        """Have a cookie that the site has not set."""
        self.remove(name)
        cookie = SetCookie(name, value, url, {"path": "/"})
        self._cookies[name, cookie.domain, "/"] = cookie


def set_cookies(answer: Answer) -> list[SetCookie]:
    """The cookies that an answer sets or deletes."""
    found = [SetCookie.parse(text, answer.url) for text in answer.get_all("Set-Cookie")]
    return [cookie for cookie in found if cookie is not None]
