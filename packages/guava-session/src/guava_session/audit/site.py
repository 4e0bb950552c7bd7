"""What the audit must know of a site: where one logs in, what shows it, what changes it."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from .client import origin_of
from .errors import ConfigError


@dataclass(frozen=True)
class Site:
    """A site under test. All addresses may be paths; they are then those of `url`.

    What is left out is not tested, and reported so.

    :raises ConfigError: for what cannot be
    """

    url: str  #: its start page

    login: str | None = None  #: the page with the form, or what the form is sent to
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    user_field: str = "username"
    password_field: str = "password"
    login_fields: Mapping[str, str] = field(default_factory=dict)  #: sent along
    login_json: bool = False  #: send a JSON object in place of a form

    whoami: str | None = None  #: a page that shows who is logged in
    proof: str | None = None  #: a text that is on it only then

    logout: str | None = None
    logout_method: str = "POST"
    logout_form: str | None = None  #: the page with the form that logs out

    #: What keeps a value in the session, "/add?key={key}&value={value}"; both may also be in the
    #: body.
    write: str | None = None
    write_method: str = "POST"
    write_body: str | None = None  #: of a form, "key={key}&value={value}"
    write_form: str | None = None  #: the page with that form, if it has hidden fields
    read: str | None = None  #: a page that shows all values

    csrf_field: str | None = None  #: the hidden field with the CSRF token, if it is not plain
    csrf_cookie: str | None = None  #: the cookie whose value a script sends back ...
    csrf_header: str | None = None  #: ... in this field

    cookie: str | None = None  #: the session cookie's name, if it shall not be found out
    error: str | None = None  #: an address that answers 500
    plain_http: str | None = None  #: where the site answers without TLS

    def __post_init__(self) -> None:
        origin_of(self.url)
        for name in ("login", "whoami", "logout", "write", "read", "error"):
            address = getattr(self, name)
            if address is not None and not address.startswith(("/", "http://", "https://")):
                raise ConfigError(f"{name} is a path that begins with '/', not {address!r}")
        if self.plain_http is not None and urlsplit(self.plain_http).scheme != "http":
            raise ConfigError(f"plain_http begins with http://, unlike {self.plain_http!r}")
        for name in ("logout_method", "write_method"):
            method = getattr(self, name)
            if method not in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                raise ConfigError(f"{name} is GET or POST, not {method!r}")
        if self.login is not None:
            for name in ("username", "password", "whoami", "proof"):
                if not getattr(self, name):
                    raise ConfigError(f"login needs {name}, too: without it nothing is proved")
        if self.write is not None:
            if "{value}" not in self.write + (self.write_body or ""):
                raise ConfigError("write has no {value}: name where the value goes")
            if self.read is None:
                raise ConfigError("write needs read, too: a page that shows what was kept")

    @property
    def is_https(self) -> bool:
        """Whether it is asked over TLS."""
        return urlsplit(self.url).scheme == "https"

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine."""
        host = origin_of(self.url)[1]
        return host in ("localhost", "::1") or host.startswith("127.")

    def at(self, address: str) -> str:
        """The absolute URL of a path of the site."""
        return urljoin(self.url, address)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Site:
        """A site from the keys of a TOML file, which are the names above.

        :raises ConfigError: for a key that does not exist, or a value of another type
        """
        kinds: dict[str, type] = dict.fromkeys(FIELDS, str)
        kinds |= {"login_json": bool, "login_fields": dict}
        for name, value in values.items():
            if name not in kinds:
                raise ConfigError(f"{name!r} is no key of a site; these are: {', '.join(FIELDS)}")
            if not isinstance(value, kinds[name]):
                raise ConfigError(f"{name} is a {kinds[name].__name__}, not {value!r}")
        if "url" not in values:
            raise ConfigError("the site has no url")
        return cls(**values)


#: The names of all that describes a site.
FIELDS = tuple(each.name for each in dataclasses.fields(Site))


def read_toml(path: str) -> dict[str, Any]:
    """The keys of a TOML file.

    :raises ConfigError: it cannot be read, or is no TOML
    """
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is no TOML: {error}") from None
