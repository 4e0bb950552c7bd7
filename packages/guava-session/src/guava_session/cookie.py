"""The session's cookie, as plain values: what to set, and how to find it in a Cookie field."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

SameSite = Literal["Lax", "Strict", "None"]

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")  # a token of RFC 9110, section 5.6.2
_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]*\Z")  # cookie-octets of RFC 6265, section 4.1.1
_ATTRIBUTE = re.compile(r"[ -:<-~]*\Z")  # printable ASCII without ";"

MAX_HEADER = 8192  # characters of a Cookie field
MAX_COOKIES = 100


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """A cookie that the response must set (RFC 6265, section 4.1).

    Hand its fields to your framework's set_cookie, or send `header()` as the value of a
    ``Set-Cookie`` field. A cookie that is to be deleted has an empty value and a max_age of 0.

    :raises ValueError: for a name, value, path or domain that would not arrive as it is, and for
        a combination that browsers refuse
    """

    name: str
    value: str
    max_age: int | None = None  #: seconds; None until the browser is closed
    path: str = "/"
    domain: str | None = None  #: None: this host only
    secure: bool = False
    http_only: bool = True
    same_site: SameSite | None = "Lax"

    def __post_init__(self) -> None:
        if not _NAME.match(self.name):
            raise ValueError(f"a cookie's name is an HTTP token, not {self.name!r}")
        if not _VALUE.match(self.value):
            raise ValueError("a cookie's value has no blanks, quotes, ',', ';' or '\\'")
        if not self.path.startswith("/") or not _ATTRIBUTE.match(self.path):
            raise ValueError(f"a cookie's path begins with '/', without ';': not {self.path!r}")
        if self.domain is not None and not re.match(r"[A-Za-z0-9.-]+\Z", self.domain):
            raise ValueError(f"a cookie's domain is a host name, not {self.domain!r}")
        if self.same_site not in ("Lax", "Strict", "None", None):
            raise ValueError(f"same_site is 'Lax', 'Strict', 'None' or None: {self.same_site!r}")
        # Browsers drop these in silence (RFC 6265bis, section 5.7); better an error here.
        if self.same_site == "None" and not self.secure:
            raise ValueError("SameSite=None needs Secure")
        if self.name.startswith(("__Secure-", "__Host-")) and not self.secure:
            raise ValueError(f"a cookie named {self.name} needs Secure")
        if self.name.startswith("__Host-") and (self.path != "/" or self.domain is not None):
            raise ValueError(f"a cookie named {self.name} has the path '/' and no domain")

    @property
    def deletes(self) -> bool:
        """Whether it tells the browser to forget the cookie."""
        return self.max_age == 0

    def header(self) -> str:
        """The value of the Set-Cookie field."""
        parts = [f"{self.name}={self.value}"]
        if self.max_age is not None:
            parts.append(f"Max-Age={self.max_age}")
        if self.max_age == 0:
            parts.append("Expires=Thu, 01 Jan 1970 00:00:00 GMT")
        if self.domain is not None:
            parts.append(f"Domain={self.domain}")
        parts.append(f"Path={self.path}")
        if self.secure:
            parts.append("Secure")
        if self.http_only:
            parts.append("HttpOnly")
        if self.same_site is not None:
            parts.append(f"SameSite={self.same_site}")
        return "; ".join(parts)

    __str__ = header


def find_cookie(header: str | None, name: str) -> str | None:
    """The value of the cookie called name in a request's Cookie field; None when it has none.

    Of several with one name the first counts: browsers send the one with the longest path first.
    It takes time in proportion to the field's length. A field of more than 8 KiB counts as
    absent, and so do cookies after the hundredth.
    """
    if not header or len(header) > MAX_HEADER:
        return None
    for pair in header.split(";", MAX_COOKIES)[:MAX_COOKIES]:
        found, equals, value = pair.partition("=")
        if equals and found.strip(" \t") == name:
            return value.strip(" \t")
    return None
