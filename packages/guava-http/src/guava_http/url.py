"""URLs, RFC 3986, with what browsers and people write beyond it put in order."""

from collections.abc import Iterable, Mapping
from typing import Any, Self, TypeAlias

from ._core import QueryDict, unquote
from .url_text import (
    FRAGMENT,
    NOT_A_SCHEME,
    PATH,
    PLAIN,
    PORTS,
    QUERY,
    SCHEME,
    SPLIT,
    USER,
    check,
    check_type,
    encode_query,
    pairs_of,
    read_host,
    read_ipv6,
    read_name,
    read_port,
    readable,
    remove_dot_segments,
)

QueryValue: TypeAlias = str | int | float
Query: TypeAlias = (
    str
    | Mapping[str, QueryValue]
    | Mapping[str, str]
    | Mapping[str, Iterable[QueryValue]]
    | Mapping[str, list[str]]
    | Mapping[str, QueryValue | Iterable[QueryValue]]
    | Iterable[tuple[str, QueryValue]]
    | Iterable[tuple[str, str]]
    | None
)


class URL:
    """A URL or a relative reference (RFC 3986). It cannot be changed; with_...() make others.

    url: str (or URL). What RFC 3986 would have encoded and browsers or people have not, such as
    ``|`` or ``é``, is percent-encoded; scheme and host are in lower case, a name beyond ASCII in
    its IDNA form, the scheme's own port is left out, and hexadecimal digits are in upper case.
    Nothing is decoded and no segment is removed, so that the path stays what was sent. URLs are
    equal when they are then the same text.

    TypeError: url is neither. ValueError: spaces or control characters; a scheme of the web
    without a host; a host, address or port that is none; user information that has an ``@``.
    """

    __slots__ = (
        "_fragment",
        "_host",
        "_params",
        "_password",
        "_path",
        "_port",
        "_query",
        "_scheme",
        "_text",
        "_user",
    )

    _scheme: str | None
    _user: str | None
    _password: str | None
    _host: str | None  # an IPv6 address in its brackets; "" where the authority is empty
    _port: int | None
    _path: str
    _query: str | None
    _fragment: str | None
    _text: str | None
    _params: QueryDict | None

    def __new__(cls, url: "str | URL" = "") -> Self:
        if isinstance(url, URL):
            return url if type(url) is cls else cls(str(url))
        self = object.__new__(cls)
        self._user = self._password = self._port = self._text = self._params = None
        plain = PLAIN.fullmatch(url) if isinstance(url, str) else None
        if plain:
            self._scheme, self._host, port, path, self._query, self._fragment = plain.groups()
            self._path = path or "/"
            if port is not None:
                self._port = read_port(port, self._scheme)
            return self
        check(url, "a URL")
        match = SPLIT.fullmatch(url)
        assert match is not None  # it matches any text
        scheme, authority, path, query, fragment = match.groups()
        self._host = None
        self._scheme = scheme = scheme and scheme.lower()
        if authority is not None:
            self._read_authority(authority)
        elif scheme is None and NOT_A_SCHEME.match(path):
            raise ValueError(f"a URL does not begin with {path.partition(':')[0] + ':'!r}")
        self._path = PATH.read(path)
        self._query = query and QUERY.read(query)
        self._fragment = fragment and FRAGMENT.read(fragment)
        self._complete()
        return self

    def _read_authority(self, authority: str) -> None:
        info, at, host = authority.rpartition("@")
        if "@" in info or "\\" in authority:
            # Browsers and other readers find different hosts in it.
            raise ValueError("a URL has at most one @ before its host, and no backslash")
        if at:
            user, colon, password = info.partition(":")
            self._user = USER.read(user)
            self._password = USER.read(password) if colon else None
        self._host, self._port = read_host(host, self._scheme)
        if not self._host and (at or self._port is not None):
            raise ValueError("a URL with a user or a port has a host")

    def _complete(self) -> None:
        """The rules between the parts."""
        if self._scheme in PORTS:
            if not self._host:
                raise ValueError(f"a URL of {self._scheme} has a host: {self._scheme}://host/")
            if not self._path:
                self._path = "/"
        if self._path and self._host is not None and not self._path.startswith("/"):
            raise ValueError(
                f"the path of a URL with a host begins with '/', found {self._path!r}"
            )

    def _but(self, **parts: Any) -> Self:
        """The same URL with other parts, which are encoded and checked."""
        other = object.__new__(type(self))
        other._scheme = self._scheme
        other._user = self._user
        other._password = self._password
        other._host = self._host
        other._port = self._port
        other._path = self._path
        other._query = self._query
        other._fragment = self._fragment
        other._text = other._params = None
        for name, value in parts.items():
            setattr(other, name, value)
        other._complete()
        return other

    @classmethod
    def _of_request(cls, scheme: str, host: str, path: str, query: str | None) -> Self:
        """What a server was asked for. The path may begin with "//" and is still a path."""
        self = object.__new__(cls)
        self._user = self._password = self._host = self._port = None
        self._scheme = self._fragment = self._text = self._params = None
        if host:
            self._scheme = scheme
            self._host, self._port = read_host(host, scheme)
            if not self._host:
                raise ValueError(f"a host has a name, found {host!r}")
        self._path = "/" if path == "*" and host else PATH.read(path)
        self._query = query and QUERY.read(query)
        return self

    # ---- parts -------------------------------------------------------------------------------

    @property
    def scheme(self) -> str:
        """str in lower case, ``"https"``; ``""`` in a relative reference."""
        return self._scheme or ""

    @property
    def user(self) -> str | None:
        """str, decoded; None if there is no user information."""
        return None if self._user is None else unquote(self._user)

    @property
    def password(self) -> str | None:
        """str, decoded; None if there is none. repr() does not show it, str() does."""
        return None if self._password is None else unquote(self._password)

    @property
    def host(self) -> str:
        """str: a name in ASCII and lower case, or an address without brackets; ``""``: none."""
        host = self._host or ""
        return host[1:-1] if host.startswith("[") else host

    @property
    def port(self) -> int | None:
        """int: the port to connect to, written or the scheme's own; None if neither is known."""
        return PORTS.get(self.scheme) if self._port is None else self._port

    @property
    def explicit_port(self) -> int | None:
        """int: the port that is written; None for the scheme's own."""
        return self._port

    @property
    def authority(self) -> str:
        """str: ``"user:password@host:port"``, encoded, as far as they are there."""
        host = self._host or ""
        if self._port is not None:
            host += f":{self._port}"
        if self._user is None:
            return host
        password = "" if self._password is None else f":{self._password}"
        return f"{self._user}{password}@{host}"

    @property
    def origin(self) -> str:
        """str: ``"https://host:port"`` as the Origin field has it (RFC 6454, 6.2).

        ValueError: it has no scheme or no host.
        """
        if not self._scheme or not self._host:
            raise ValueError("a relative URL has no origin")
        port = "" if self._port is None else f":{self._port}"
        return f"{self._scheme}://{self._host}{port}"

    @property
    def path(self) -> str:
        """str, decoded; bytes that are not UTF-8 become U+FFFD. See raw_path."""
        return unquote(self._path)

    @property
    def raw_path(self) -> str:
        """str, percent-encoded. An encoded ``%2F`` is seen here only."""
        return self._path

    @property
    def parts(self) -> tuple[str, ...]:
        """tuple of str: the path's segments, each decoded: ``("a", "b")`` of ``/a/b``."""
        path = self._path.removeprefix("/")
        return tuple(unquote(part) for part in path.split("/")) if path else ()

    @property
    def name(self) -> str:
        """str: the path's last segment, decoded; ``""`` after a final slash."""
        return unquote(self._path.rpartition("/")[2])

    @property
    def parent(self) -> Self:
        """URL: without the last segment, query and fragment."""
        parent = self._path.rstrip("/").rpartition("/")[0]
        if not parent and self._path.startswith("/"):
            parent = "/"
        return self._but(_path=parent, _query=None, _fragment=None)

    @property
    def query(self) -> QueryDict:
        """QueryDict: the query's parameters. RequestError: over 1000 of them."""
        if self._params is None:
            self._params = QueryDict.parse(self._query or "")
        return self._params

    @property
    def raw_query(self) -> str:
        """str: what follows the ``?``, percent-encoded; ``""`` if there is none."""
        return self._query or ""

    @property
    def fragment(self) -> str:
        """str: what follows the ``#``, decoded; ``""`` if there is none."""
        return unquote(self._fragment or "")

    @property
    def raw_fragment(self) -> str:
        """str: what follows the ``#``, percent-encoded; ``""`` if there is none."""
        return self._fragment or ""

    @property
    def target(self) -> str:
        """str: path and query as a request sends them (RFC 9112, 3.2.1): ``"/a?b=c"``."""
        query = "" if self._query is None else f"?{self._query}"
        return (self._path or "/") + query

    @property
    def is_absolute(self) -> bool:
        """bool: it has a scheme."""
        return self._scheme is not None

    # ---- others ------------------------------------------------------------------------------

    def with_scheme(self, scheme: str) -> Self:
        """With another scheme; an own port of the old one is not kept.

        ValueError: it is none, or it needs a host that is not there.
        """
        check(scheme, "a scheme")
        if not SCHEME.fullmatch(scheme):
            raise ValueError(f"a scheme is such as 'https', found {scheme!r}")
        scheme = scheme.lower()
        port = None if self._port == PORTS.get(scheme) else self._port
        return self._but(_scheme=scheme, _port=port)

    def with_user(self, user: str | None, password: str | None = None) -> Self:
        """With another user and password, decoded; None is without. ValueError: no host."""
        if user is not None and not self._host:
            raise ValueError("a URL with a user has a host")
        if user is None and password is not None:
            raise ValueError("a password needs a user")
        for text in (user, password):
            if text is not None:
                check_type(text, "user and password")
        return self._but(
            _user=None if user is None else USER.encode(user),
            _password=None if password is None else USER.encode(password),
        )

    def with_host(self, host: str) -> Self:
        """With another host: a name, an IPv4 address, an IPv6 address in brackets or without.

        The port stays. ValueError: it is none of these.
        """
        check(host, "a host")
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        return self._but(_host=read_ipv6(bare) if ":" in bare else read_name(host))

    def with_port(self, port: int | None) -> Self:
        """With another port, 0 to 65535; None is the scheme's own. ValueError: no host."""
        if port is not None and (isinstance(port, bool) or not isinstance(port, int)):
            raise TypeError(f"a port must be an int, not {type(port).__name__}")
        if not self._host:
            raise ValueError("a URL with a port has a host")
        return self._but(_port=None if port is None else read_port(str(port), self._scheme))

    def with_path(self, path: str) -> Self:
        """With another path, given decoded; query and fragment stay.

        ValueError: it does not begin with ``/`` although there is a host.
        """
        check_type(path, "a path")
        return self._but(_path=PATH.encode(path))

    def with_query(self, query: Query = None, /, **params: QueryValue) -> Self:
        """With another query.

        query: a mapping of names to values or lists of values, or pairs, decoded; or a str that
        is encoded already; None is without. params: more of them, by name. Values are str, int
        or float.
        """
        if params and isinstance(query, str):
            query = QueryDict.parse(query)
        if query and params:
            return self._but(_query=encode_query(pairs_of(query) + pairs_of(params)))
        return self._but(_query=encode_query(params or query))

    def update_query(self, query: Query = None, /, **params: QueryValue) -> Self:
        """With these parameters in the place of those of the same names; arguments as for
        with_query(). The others stay as they are."""
        if isinstance(query, str):
            check(query, "a query")
            query = QueryDict.parse(QUERY.read(query))
        new = pairs_of(query or ()) + pairs_of(params)
        return self._but(_query=self._query).without_query(*(name for name, _ in new))._add(new)

    def without_query(self, *names: str) -> Self:
        """Without the parameters of these names; the others stay, byte by byte."""
        kept = []
        for piece in self._query.split("&") if self._query else ():
            if unquote(piece.partition("=")[0], plus=True) not in names:
                kept.append(piece)
        return self._but(_query="&".join(kept) or None)

    def _add(self, pairs: list[tuple[str, str]]) -> Self:
        pieces = [self._query or "", encode_query(pairs) or ""]
        return self._but(_query="&".join(filter(None, pieces)) or None)

    def with_fragment(self, fragment: str | None) -> Self:
        """With another fragment, given decoded; None is without."""
        if fragment is None:
            return self._but(_fragment=None)
        check_type(fragment, "a fragment")
        return self._but(_fragment=FRAGMENT.encode(fragment))

    def join(self, reference: "str | URL") -> "URL":
        """Where a reference leads that stands on this page (RFC 3986, 5.2): a link, a Location.

        reference: str or URL. ValueError: it or what comes of it is no URL, or this one is not
        absolute.
        """
        if self._scheme is None:
            raise ValueError("a relative URL is no base")
        ref = URL(reference)
        if ref._scheme is not None:
            return ref._but(_path=remove_dot_segments(ref._path))
        parts: dict[str, Any] = {"_query": ref._query, "_fragment": ref._fragment}
        if ref._host is not None:
            port = None if ref._port == PORTS.get(self._scheme) else ref._port
            parts |= {"_host": ref._host, "_port": port}
            parts |= {"_user": ref._user, "_password": ref._password}
            parts["_path"] = remove_dot_segments(ref._path)
        elif not ref._path:
            if ref._query is None:
                parts["_query"] = self._query
        elif ref._path.startswith("/"):
            parts["_path"] = remove_dot_segments(ref._path)
        else:
            base = self._path.rpartition("/")
            slash = "/" if base[1] or self._host is not None else ""
            parts["_path"] = remove_dot_segments(base[0] + slash + ref._path)
        return self._but(**parts)

    def __truediv__(self, segment: str) -> Self:
        """With one more segment of the path, given decoded, or several; without query and
        fragment. ValueError: one of them is ``.`` or ``..``, or it begins with ``/``."""
        if not isinstance(segment, str):
            return NotImplemented
        if segment.startswith("/") or not {".", ".."}.isdisjoint(segment.split("/")):
            raise ValueError(f"what is appended has no '.', '..' or first '/', found {segment!r}")
        slash = "" if self._path.endswith("/") or not (self._path or self._host) else "/"
        path = self._path + slash + PATH.encode(segment)
        return self._but(_path=path, _query=None, _fragment=None)

    # ---- as text -----------------------------------------------------------------------------

    def _render(self, authority: str) -> str:
        text = "" if self._scheme is None else f"{self._scheme}:"
        if self._host is not None:
            text += f"//{authority}"
        elif self._path.startswith("//"):
            text += "/."  # else its first segment would be read as a host
        elif self._scheme is None and NOT_A_SCHEME.match(self._path):
            text += "./"
        text += self._path
        if self._query is not None:
            text += f"?{self._query}"
        return text if self._fragment is None else f"{text}#{self._fragment}"

    def __str__(self) -> str:
        """The URL, in ASCII, ready to send."""
        if self._text is None:
            self._text = self._render(self.authority)
        return self._text

    def human(self) -> str:
        """The URL for people to read: letters and signs beyond ASCII as they are, in the host as
        well, and no password. URL(it) is the same URL if there is none."""
        host = self._host or ""
        if "xn--" in host:
            try:
                name = host.encode("ascii").decode("idna")
                if name.isprintable() and read_name(name) == host:
                    host = name
            except ValueError:
                pass
        user = "" if self._user is None else readable(self._user)
        masked = "" if self._password is None else ":***"
        at = "" if self._user is None else "@"
        port = "" if self._port is None else f":{self._port}"
        return readable(self._render(f"{user}{masked}{at}{host}{port}"))

    def __repr__(self) -> str:
        masked = self if self._password is None else self._but(_password="***")
        return f"{type(self).__name__}({str(masked)!r})"

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, URL) else NotImplemented

    def __lt__(self, other: "URL") -> bool:
        return str(self) < str(other) if isinstance(other, URL) else NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self),)
