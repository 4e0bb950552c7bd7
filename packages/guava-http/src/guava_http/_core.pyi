"""The native half of guava_http."""

from asyncio import AbstractEventLoop, BaseProtocol, BufferedProtocol, Future
from collections.abc import (
    AsyncIterable,
    Awaitable,
    Callable,
    Coroutine,
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    Mapping,
    MutableMapping,
    ValuesView,
)
from datetime import datetime, timedelta
from os import PathLike
from types import TracebackType
from typing import (
    Any,
    Literal,
    Protocol,
    Self,
    TypeAlias,
    TypeVar,
    final,
    overload,
    type_check_only,
)

from typing_extensions import Buffer, disjoint_base

from .authorization import Authorization
from .body import BodyPolicy, BodyStream
from .forms import FileDict
from .limits import Limits, Timeouts
from .multipart import Parts
from .parser import Data, EndOfMessage
from .url import URL

_T = TypeVar("_T")

# A mapping of names to values, to lists of values, or pairs.
_Pairs: TypeAlias = (
    Mapping[str, str]
    | Mapping[str, list[str]]
    | Mapping[str, str | list[str]]
    | Iterable[tuple[str, str]]
)
_Time: TypeAlias = int | float | datetime
_SameSite: TypeAlias = Literal["Strict", "Lax", "None"] | None
_Chunks: TypeAlias = Iterable[str | bytes] | Iterable[str] | Iterable[bytes]
_AsyncChunks: TypeAlias = AsyncIterable[str | bytes] | AsyncIterable[str] | AsyncIterable[bytes]
_Body: TypeAlias = (
    str | Buffer | dict[Any, Any] | list[Any] | _Chunks | _AsyncChunks | FileBody | None
)

class _HasFileno(Protocol):
    def fileno(self) -> int: ...

class RequestError(ValueError):
    """The client's fault: a body that is not what it claims to be, or too much of something.
    A server that a handler lets it escape to answers with `status`, an int from 400 to 499.
    """

    status: int

class ClientDisconnected(ConnectionError):
    """The client left before its request had come completely. A handler may let it escape:
    it is neither logged nor an error of the server.
    """

@final
class QueryDict(dict[str, str]):
    """The parameters of a query string or of a form: a read-only dict of each name's last
    value, where getlist(name) gives all of them.

    source: a mapping of str to str or to a list of str, or (name, value) pairs.
    """
    def __new__(cls, source: _Pairs = ..., /) -> Self: ...
    def __init__(self, source: _Pairs = ..., /) -> None: ...
    @classmethod
    def parse(cls, text: str | bytes, /) -> QueryDict:
        """The parameters of a query string or of a urlencoded form (WHATWG URL, 5.1): '+' is a
        space, %XX is UTF-8, bytes that are not UTF-8 become U+FFFD.

        text: str or bytes. RequestError (a ValueError): more than 1000 parameters.
        """
    def getlist(self, name: str, /) -> list[str]:
        """All values of a name, in their order; an empty list if there are none."""
    def multi_items(self) -> list[tuple[str, str]]:
        """All (name, value) pairs, those of one name together."""
    def copy(self) -> dict[str, str]:
        """A plain dict of the last values."""
    def __deepcopy__(self, memo: Any, /) -> Self: ...

@final
class RequestHeaders(Mapping[str, str]):
    """The header fields of a request: a read-only mapping whose names are the same in
    upper and lower case. Fields of one name are joined by a comma (RFC 9110, 5.3);
    getlist(name) has them one by one.
    """
    def __getitem__(self, name: str, /) -> str: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    def __contains__(self, name: object, /) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]
    def __copy__(self) -> Headers: ...
    @overload
    def get(self, name: str, default: None = None) -> str | None:
        """The value of a field, several ones joined, or default."""
    @overload
    def get(self, name: str, default: str | _T) -> str | _T: ...
    def getlist(self, name: str, /) -> list[str]:
        """The values of all fields of a name, in their order."""
    def multi_items(self) -> list[tuple[str, str]]:
        """All (name, value) pairs, as they were sent."""
    def keys(self) -> KeysView[str]:
        """The names, each once."""
    def items(self) -> ItemsView[str, str]:
        """Names with joined values."""
    def values(self) -> ValuesView[str]:
        """The joined values."""
    def copy(self) -> Headers:
        """The same fields as Headers."""
    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        """list of (bytes, bytes): all fields, as they were sent"""

@final
class Headers(MutableMapping[str, str]):
    """Header fields to send: a mapping whose names are the same in upper and lower case.
    headers[name] = value replaces all fields of the name, add(name, value) adds one.

    source: a mapping of str to str or to a list of str, or (name, value) pairs.
    ValueError: a name is no token (RFC 9110, 5.6.2), a value has control characters
    or is not latin-1.
    """
    def __new__(cls, source: _Pairs | None = ..., /) -> Self: ...
    def __init__(self, source: _Pairs | None = ..., /) -> None: ...
    def __getitem__(self, name: str, /) -> str: ...
    def __setitem__(self, name: str, value: str, /) -> None: ...
    def __delitem__(self, name: str, /) -> None: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    def __contains__(self, name: object, /) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]
    def __copy__(self) -> Headers: ...
    @overload
    def get(self, name: str, default: None = None) -> str | None:
        """The value of a field, several ones joined, or default."""
    @overload
    def get(self, name: str, default: str | _T) -> str | _T: ...
    @overload
    def pop(self, name: str) -> str:
        """Removes a name and returns its value."""
    @overload
    def pop(self, name: str, default: str | _T) -> str | _T: ...
    def setdefault(self, name: str, default: str) -> str:
        """The value of a field, which is added if missing."""
    def add(self, name: str, value: str) -> None:
        """Adds a field and leaves those of the same name.

        ValueError: the name is no token (RFC 9110, 5.6.2), the value has control characters
        or is not latin-1.
        """
    def update(self, source: _Pairs = ..., /, **fields: str) -> None:  # type: ignore[override]
        """Sets the fields of a mapping or of pairs."""
    def extend(self, source: _Pairs, /) -> None:
        """Adds the fields of a mapping or of pairs and leaves those of the same names."""
    def popitem(self) -> tuple[str, str]:
        """Removes the last name and returns (name, value)."""
    def clear(self) -> None:
        """Removes all fields."""
    def getlist(self, name: str, /) -> list[str]:
        """The values of all fields of a name, in their order."""
    def multi_items(self) -> list[tuple[str, str]]:
        """All (name, value) pairs, as they will be sent."""
    def keys(self) -> KeysView[str]:
        """The names, each once."""
    def items(self) -> ItemsView[str, str]:
        """Names with joined values."""
    def values(self) -> ValuesView[str]:
        """The joined values."""
    def copy(self) -> Headers:
        """The same fields in another object."""
    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        """list of (bytes, bytes): all fields, as they will be sent"""

@disjoint_base
class Request:
    """What a client asked for. The server makes them; by hand they are for tests and for
    people who build a framework of their own. Attributes of your own can be set on it.

    method: str. url: str, '/path?query' or 'http://host/path?query'; without it, it is
    made of path and GET. path: str, decoded. host: str. body: bytes-like. HEADERS, GET,
    POST: a mapping or (name, value) pairs. COOKIES: a mapping. What is not given comes
    out of url, HEADERS and body, as it does for a server's request.
    TypeError, ValueError: an argument that no client could send.
    """
    def __init__(
        self,
        method: str = "GET",
        url: str | None = None,
        *,
        path: str | None = None,
        host: str | None = None,
        body: Buffer = b"",
        HEADERS: _Pairs | None = None,
        GET: _Pairs | None = None,
        POST: _Pairs | None = None,
        COOKIES: _Pairs | None = None,
    ) -> None: ...
    @property
    def method(self) -> str:
        """str: "GET"; upper and lower case are different (RFC 9110, 9.1)"""
    @property
    def url(self) -> str:
        """str: the request target as it was sent (RFC 9112, 3.2)"""
    @property
    def path(self) -> str:
        """str: the target's path, percent-decoded; bytes that are not UTF-8 become U+FFFD"""
    @property
    def raw_path(self) -> bytes:
        """bytes: the target's path as it was sent"""
    @property
    def query_string(self) -> bytes:
        """bytes: what follows the target's "?" """
    @property
    def host(self) -> str:
        """str: "example.com:8000", of an absolute target or of the Host field; "" if neither
        has it
        """
    @property
    def scheme(self) -> str:
        """str: "http", or "https" under TLS"""
    @property
    def GET(self) -> QueryDict:
        """QueryDict: the query's parameters. RequestError (400): over 1000 of them"""
    @property
    def query(self) -> QueryDict:
        """QueryDict: GET by its other name"""
    @property
    def POST(self) -> QueryDict:
        """QueryDict: the fields of a form in the body (urlencoded or multipart), else empty.
        RequestError: 413, over Limits.form_fields or form_parts of them; 400, malformed
        """
    @property
    def HEADERS(self) -> RequestHeaders:
        """RequestHeaders: the header fields"""
    @property
    def headers(self) -> RequestHeaders:
        """RequestHeaders: HEADERS by its other name"""
    @property
    def COOKIES(self) -> dict[str, str]:
        """dict of str to str: the cookies; the first of each name, at most 100"""
    @property
    def cookies(self) -> dict[str, str]:
        """dict: COOKIES by its other name"""
    @property
    def body(self) -> bytes:
        """bytes: the whole body"""
    @property
    def peer(self) -> tuple[Any, ...] | str | None:
        """tuple (address, port, ...) of the client, str for a unix socket, None for a request
        made by hand
        """
    @property
    def remote_addr(self) -> str:
        """str: the client's IP address, or "" """
    @property
    def URL(self) -> URL:
        """URL: what was asked for, with scheme and host; relative where an HTTP/1.0 request
        names no host. RequestError (400): the host is none, such as 300.1.1.1
        """
    @property
    def is_secure(self) -> bool:
        """bool: it came over TLS"""
    @property
    def content_type(self) -> str | None:
        """str: the Content-Type field, with its parameters; or None"""
    @property
    def mimetype(self) -> str:
        """str: the body's media type in lower case, without parameters; or "" """
    @property
    def charset(self) -> str:
        """str: the Content-Type field's charset in lower case; "utf-8" without one"""
    @property
    def content_length(self) -> int | None:
        """int: the Content-Length field, in bytes; None without one (no body, or a chunked
        one)
        """
    @property
    def is_json(self) -> bool:
        """bool: the body's type is application/json or application/...+json"""
    @property
    def user_agent(self) -> str:
        """str: the User-Agent field, or "" """
    @property
    def authorization(self) -> Authorization | None:
        """Authorization: the Authorization field; None if it is missing or malformed"""
    @property
    def http_version(self) -> str:
        """str: "1.0" or "1.1" """
    @property
    def keep_alive(self) -> bool:
        """bool: the client wants to send another request on this connection"""
    @property
    def disconnected(self) -> bool:
        """bool: the client has gone before it was answered"""
    def json(self) -> Any:
        """The body, read as JSON (RFC 8259; UTF-8), whatever its Content-Type.

        RequestError (a ValueError, status 400): it is none.
        """
    def early_hints(self, headers: _Pairs, /) -> bool:
        """Sends fields (Link, mostly) ahead of the answer, as status 103 (RFC 8297). Call it
        before the answer has begun and on the loop's thread; more than once if need be.

        headers: a mapping or (name, value) pairs, at most 8 KiB. Gives False where there is
        nobody to send to: a client of HTTP/1.0 or one that has left, a request made by
        hand. ValueError: a name is no token, says how the body is framed, or a value has
        control characters. RuntimeError: the answer has begun, or this is another thread.
        """
    def accepts(self, *offers: str) -> str | None:
        """The offer that the client wants most, by its Accept field; None if it accepts none
        of them. Without the field it is the first offer.

        offers: str, media types; short are 'html', 'json', 'text', 'xml', 'css', 'csv',
        'events', 'pdf'. See best_match().
        """
    def accepts_language(self, *offers: str) -> str | None:
        """The language that the client wants most, by its Accept-Language field; None if it
        accepts none of them. Without the field it is the first offer.

        offers: str, language tags. See best_language().
        """
    # Attributes of the user's own.
    @property
    def files(self) -> FileDict:
        """FileDict: the files of a multipart form in the body, else empty. RequestError: as
        POST
        """
    @property
    def _reader(self) -> BodyReader | None: ...
    @property
    def _limits(self) -> Limits | None: ...
    def form(self) -> QueryDict:
        """The fields of the form in the body: POST as a method."""
    def stream(self) -> BodyStream:
        """The body's bytes as they come: a guava_http.BodyStream, for `async for`,
        and in a plain function on a thread for `for`. For handlers marked with
        guava_http.stream_body; elsewhere the body is there and comes in one piece.
        """
    def parts(self) -> Parts:
        """The parts of a multipart/form-data body (RFC 7578) as they come: an async
        iterator of guava_http.Part.

        RequestError: the body is none (415 by its type, 400 by its bytes), or too large
        (413).
        """
    def read(self, limit: int | None = None) -> Coroutine[Any, Any, bytes]:
        """Waits for the whole body; bytes, which `body` then has too.

        limit: int, bytes of it; None: Limits.body. RequestError (413): there are more.
        ClientDisconnected: the client left.
        """
    def _keep_body(self, body: bytes, /) -> None: ...
    def __getattribute__(self, name: str, /) -> Any: ...
    def __setattr__(self, name: str, value: Any, /) -> None: ...

@final
class Cookie:
    """A cookie to send (RFC 6265). It cannot be changed; str(cookie) is the Set-Cookie value.

    name, value: str, ASCII; quote() makes any text a value. max_age: int (seconds) or
    timedelta. expires: int or float (seconds since 1970) or datetime (naive: UTC). With
    neither it is gone when the browser closes; browsers keep none longer than 400 days.
    path: str that begins with '/', None for the directory of the request. domain: str, a
    host's name: that host and all below it; None is the request's host alone. secure,
    httponly, partitioned: bool. samesite: 'Strict', 'Lax', 'None', or None to leave it out.
    ValueError: a part has characters that it must not have, or browsers would drop the
    cookie: samesite='None' or partitioned and not secure; __Secure-, __Host-, __Http- or
    __Host-Http- without what the name promises; name and value over 4096 bytes, another
    part over 1024.
    """

    name: str
    value: str
    max_age: int | None
    expires: int | None
    path: str | None
    domain: str | None
    secure: bool
    httponly: bool
    samesite: _SameSite
    partitioned: bool
    def __new__(
        cls,
        name: str,
        value: str = "",
        *,
        max_age: int | timedelta | None = None,
        expires: _Time | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: _SameSite = "Lax",
        partitioned: bool = False,
    ) -> Self: ...
    def render(self) -> str:
        """The value of the Set-Cookie field; str(cookie) is the same."""
    @staticmethod
    def parse(header: str | bytes, /) -> dict[str, str]:
        """The cookies of a Cookie field, a dict of str to str: the first of each name, at most
        100.

        header: str or bytes. What is no cookie is passed over; time grows with the length
        only.
        """
    @staticmethod
    def from_header(header: str, /) -> Cookie:
        """The Cookie that a Set-Cookie field sets, read as a browser reads it (RFC 6265, 5.2):
        for tests and clients. Unknown attributes and malformed ones are passed over.

        header: str. ValueError: it sets none, or one that Cookie() would refuse to send.
        """
    def __getnewargs_ex__(self) -> tuple[tuple[str, str], dict[str, Any]]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __lt__(self, other: Cookie, /) -> bool: ...
    def __le__(self, other: Cookie, /) -> bool: ...
    def __gt__(self, other: Cookie, /) -> bool: ...
    def __ge__(self, other: Cookie, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class FileBody:
    """A range of a regular file as a response's body, sent without copying.

    file: a path, a file descriptor or an open file; a descriptor is duplicated, or with
    own=True taken over. offset, length: int, bytes; without length up to the end.
    OSError: it cannot be opened. ValueError: it is not a regular file, or shorter.
    """
    def __new__(
        cls,
        file: str | bytes | PathLike[str] | PathLike[bytes] | int | _HasFileno,
        offset: int = 0,
        length: int | None = None,
        *,
        own: bool = False,
    ) -> Self: ...
    offset: int
    length: int
    @property
    def closed(self) -> bool:
        """bool: the descriptor is closed"""
    def close(self) -> None:
        """Closes the descriptor; the server does it after sending."""
    def fileno(self) -> int:
        """The file descriptor. ValueError: it is closed."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None = ...,
        error: BaseException | None = ...,
        traceback: TracebackType | None = ...,
        /,
    ) -> None: ...

@disjoint_base
class Response:
    """What goes back to the client.

    body: None, str (sent as UTF-8), bytes-like, a dict or a list (sent as JSON), an
    iterable or async iterable of str or bytes (sent piece by piece), or a FileBody.
    status: int, 100 to 599. headers: a mapping or (name, value) pairs. content_type: str;
    without it text/html; charset=utf-8, application/json for JSON,
    application/octet-stream for a FileBody. reason: str.
    ValueError: a name is no token, or a text has control characters; TypeError: a body
    of another kind.
    """
    def __init__(
        self,
        body: _Body = None,
        status: int = 200,
        headers: _Pairs | None = None,
        *,
        content_type: str | None = None,
        reason: str | None = None,
    ) -> None: ...
    @property
    def status(self) -> int:
        """int, 100 to 599"""
    @status.setter
    def status(self, value: int) -> None: ...
    # What was given as a dict or a list reads as bytes.
    @property
    def body(self) -> Any:
        """None, str, bytes, an iterable or async iterable of them, or a FileBody; what
        was given as a dict or a list is bytes of JSON
        """
    @body.setter
    def body(self, value: _Body) -> None: ...
    @property
    def headers(self) -> Headers:
        """Headers; a mapping or pairs may be assigned"""
    @headers.setter
    def headers(self, value: _Pairs | None) -> None: ...
    @property
    def content_type(self) -> str | None:
        """str: the Content-Type that will be sent, None for an empty body; None
        may be assigned, for the one that suits the body
        """
    @content_type.setter
    def content_type(self, value: str | None) -> None: ...
    @property
    def reason(self) -> str:
        """str: the reason phrase; None may be assigned, for the standard one"""
    @reason.setter
    def reason(self, value: str | None) -> None: ...
    @property
    def trailers(self) -> Any:
        """None, or fields that follow the body (RFC 9110, 6.5): a mapping of names to str or
        to functions that are called when the body is out and give a str; or one such
        function that gives a mapping. Sent only in chunks and to a client whose TE has
        "trailers". ValueError: no token, control characters, or a name that must not be a
        trailer's.
        """
    @trailers.setter
    def trailers(
        self,
        value: Mapping[str, str | Callable[[], str]]
        | Mapping[str, str]
        | Callable[[], Mapping[str, str]]
        | None,
    ) -> None: ...
    @property
    def compression(self) -> bool | None:
        """True: compress if the client likes and the body suits; False: never; None: as the
        server was told
        """
    @compression.setter
    def compression(self, value: bool | None) -> None: ...
    def background(self, function: Callable[..., object], /, *args: Any, **kwargs: Any) -> None:
        """Calls function(*args, **kwargs) when the answer is over, however it ended.

        Several are called one after the other. A plain function runs on a thread, an async
        one on the loop; exceptions are logged. A server that closes waits for them, within
        its grace. TypeError: it cannot be called.
        """
    def set_cookie(
        self,
        name: str,
        value: str = "",
        *,
        max_age: int | timedelta | None = None,
        expires: _Time | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: _SameSite = "Lax",
        partitioned: bool = False,
    ) -> None:
        """Sends a cookie, instead of one of the same name, path and domain. The arguments are
        those of Cookie, and so are the errors.
        """
    def add_cookie(self, cookie: Cookie, /) -> None:
        """Sends a Cookie."""
    def delete_cookie(
        self,
        name: str,
        *,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: _SameSite = "Lax",
        partitioned: bool = False,
    ) -> None:
        """Makes the browser forget a cookie; path and domain must be as they were set."""
    def render(self, *, date: _Time | None = None) -> bytes:
        """The whole message as bytes, for a server of your own.

        date: as http_date() takes it. TypeError: the body is not None, str or bytes.
        ValueError: a Content-Length that is not the body's.
        """
    @classmethod
    def json(cls, obj: Any, status: int = 200, headers: _Pairs | None = None) -> Self:
        """A response with obj as JSON.

        TypeError: obj has something that JSON has not.
        """
    @classmethod
    def text(cls, text: str | Buffer, status: int = 200, headers: _Pairs | None = None) -> Self:
        """A response as text/plain."""
    @classmethod
    def html(cls, html: str | Buffer, status: int = 200, headers: _Pairs | None = None) -> Self:
        """A response as text/html."""
    @classmethod
    def redirect(
        cls, location: str | URL, status: int = 302, headers: _Pairs | None = None
    ) -> Self:
        """Sends the client to another place (RFC 9110, 15.4).

        location: str or URL, absolute or relative; spaces, backslashes and what is not ASCII
        are percent-encoded. ValueError: control characters in it, or a status that is no
        redirect's.
        """

class FileMissing(FileNotFoundError, RequestError):
    """A FileResponse's path leads to no regular file: a FileNotFoundError, and a
    RequestError of status 404.
    """

@disjoint_base
class FileResponse(Response):
    """A file that is sent as the request asks: whole, in ranges, or not at all if the client
    has it (RFC 9110, 13 and 14).

    file: a path, an open file, a file descriptor (both are duplicated) or a FileBody, whose
    range then is the whole. It is opened now. content_type: str; without it what the
    extension of filename or of the path stands for (guava_http.CONTENT_TYPES), else
    application/octet-stream. filename: str, the name to save it under, as
    Content-Disposition: attachment, or with inline=True, inline. etag: True for a strong
    one made of inode, size and time of change, a str for your own, with its quotes, False
    for none. last_modified: True for the file's, an int, float or datetime for your own,
    False for none. cache_control: str. precompressed: True, or a sequence out of "br",
    "zst" and "gz": if the client takes it, the file beside it with that further extension
    is sent instead, provided that it is not older. headers: as Response's.
    FileMissing: the path leads to no regular file; a server answers 404. OSError: the file
    cannot be opened. ValueError: not a regular file, not an entity tag, or a text with
    control characters.
    """
    def __new__(
        cls,
        file: str | bytes | PathLike[str] | PathLike[bytes] | int | _HasFileno,
        *,
        content_type: str | None = None,
        filename: str | None = None,
        inline: bool = False,
        etag: bool | str | None = True,
        last_modified: bool | _Time | None = True,
        cache_control: str | None = None,
        precompressed: bool | Iterable[Literal["br", "zst", "gz"]] | None = None,
        headers: _Pairs | None = None,
    ) -> Self: ...
    def __init__(
        self,
        file: str | bytes | PathLike[str] | PathLike[bytes] | int | _HasFileno,
        *,
        content_type: str | None = None,
        filename: str | None = None,
        inline: bool = False,
        etag: bool | str | None = True,
        last_modified: bool | _Time | None = True,
        cache_control: str | None = None,
        precompressed: bool | Iterable[Literal["br", "zst", "gz"]] | None = None,
        headers: _Pairs | None = None,
    ) -> None: ...
    @property
    def etag(self) -> str | None:
        """str or None: the entity tag of the file, with its quotes; a variant has another"""
    @property
    def last_modified(self) -> int | None:
        """int or None: when the file was changed, in seconds since 1970"""

def parse_range(value: str | bytes | None, size: int) -> list[tuple[int, int]] | None:
    """What a Range field asks for (RFC 9110, 14.2).

    value: str or bytes, such as "bytes=0-499, -500", or None. size: int, bytes of what is
    there. Gives a list of (start, stop) with 0 <= start < stop <= size, at most 16 in the
    order asked for; those that overlap or are less than 80 bytes apart have become one.
    None: there is no field, or one to ignore (malformed, another unit, over 16 ranges), and
    all is to be sent. RequestError (416): all ranges lie outside. ValueError: size is
    negative.
    """

def is_not_modified(
    headers: _Pairs | RequestHeaders | Headers,
    etag: str | None = None,
    last_modified: _Time | None = None,
) -> bool:
    """Whether a GET or HEAD is to be answered by 304, in the order of RFC 9110, 13.2.2.

    headers: of the request, a mapping or pairs. etag: str with its quotes, of what would be
    sent. last_modified: int, float or datetime. RequestError (412): If-Match or
    If-Unmodified-Since does not hold. ValueError: etag is no entity tag.
    """

def http_date(when: _Time | None = None) -> str:
    """A date as HTTP writes it: 'Sun, 06 Nov 1994 08:49:37 GMT' (RFC 9110, 5.6.7).

    when: int or float (seconds since 1970), a datetime (naive: UTC), None for
    now. ValueError: outside the years 1 to 9999.
    """

def parse_date(text: str | bytes, /) -> datetime:
    """A date of a field (RFC 9110, 5.6.7) as a datetime in UTC: an IMF-fixdate, which
    http_date() writes, or its obsolete forms of RFC 850 and asctime().

    text: str or bytes. The leap second, 23:59:60, is the second after it; two digits of a
    year mean the latest such year that is at most fifty years ahead. ValueError: anything
    else, a day that does not exist, a weekday that is not the day's.
    """

def quote(text: str | bytes, *, safe: str = "/") -> str:
    """Encodes the bytes of UTF-8 as %XX (RFC 3986, 2.1), but for letters, digits, -._~ and
    the characters in safe.

    text: str or bytes. safe: str of visible ASCII; a '%' in it leaves what is already
    encoded as it is. ValueError: a lone surrogate in text.
    """

def status_phrase(code: int, /) -> str:
    """The standard phrase of a status code, 'Not Found' for 404; '' for an unregistered one."""

def unquote(text: str | bytes, *, plus: bool = False) -> str:
    """Decodes %XX as UTF-8 (RFC 3986, 2.1); bytes that are not UTF-8 become U+FFFD,
    a '%' without two hexadecimal digits stays.

    text: str or bytes. plus: '+' is a space, as in forms.
    """

def parse_accept(value: str | bytes | None, /) -> list[tuple[str, dict[str, str], float]]:
    """The elements of an Accept, Accept-Charset, Accept-Encoding or Accept-Language field
    (RFC 9110, 12.5), most wanted first: a list of (name, parameters, weight).

    value: str, bytes, or None for a field that was not sent. A name is a str (media types
    in lower case, others as sent), parameters a dict of str to str, a weight a float from 0
    (not acceptable) to 1. Of equal weights the more specific comes first, then the one sent
    first. A malformed element is passed over. ValueError: a str that is not latin-1.
    """

@overload
def best_match(
    accept: str | bytes | None, offers: Iterable[str], default: None = None
) -> str | None:
    """The offer that a client wants most, by its Accept or Accept-Charset field (RFC 9110,
    12.5.1): the range that fits an offer most specifically gives its weight, and of equals
    the one offered first wins.

    accept: str, bytes or None. offers: media types, with parameters or without, or names
    of character sets: a sequence of str. Without a field (or one with nothing well-formed
    in it) it is the first offer; when none is acceptable it is default.
    """

@overload
def best_match(accept: str | bytes | None, offers: Iterable[str], default: _T) -> str | _T: ...
@overload
def best_language(
    accept: str | bytes | None, offers: Iterable[str], default: None = None
) -> str | None:
    """The language that a client wants most, by its Accept-Language field (RFC 9110, 12.5.4):
    "de" in the field fits the offers de and de-CH (RFC 4647, 3.3.1); if nothing fits,
    "de-CH" in the field is served with de (3.4). Of equals the one sent first wins.

    accept: str, bytes or None. offers: language tags, a sequence of str. Without a field
    it is the first offer; when none is acceptable it is default.
    """

@overload
def best_language(accept: str | bytes | None, offers: Iterable[str], default: _T) -> str | _T: ...
def best_encoding(accept: str | bytes | None, offers: Iterable[str]) -> str | None:
    """The content coding to use, by an Accept-Encoding field (RFC 9110, 12.5.3): one of the
    offers, "identity" for none of them, or None when the client refuses that as well.

    accept: str, bytes or None (not sent: identity). offers: codings that can be made, the
    most welcome first: a sequence of str, such as ("zstd", "br", "gzip").
    """

def _parse_form(
    content_type: str,
    body: bytes,
    parts: int,
    heads: int,
    texts: int,
    longest_line: int,
    /,
) -> tuple[list[tuple[str, str]], list[tuple[str, str, str | None, bytes, bytes]]] | None:
    """The fields and files of a form as the usual clients write it; None for all others, and
    for those with more parts, or more bytes of heads, fields or one line, than given.
    """

def parse_options_header(value: str | bytes | None, /) -> tuple[str, dict[str, str]]:
    r"""Content-Type, Content-Disposition and the like (RFC 9110, 5.6.6): a tuple of the value
    in lower case and a dict of its parameters, names in lower case, quotes and the escapes
    \" and \\ taken out. name*=UTF-8''%C3%A9 (RFC 8187) is decoded, stands under name, and
    counts before a plain name; else the first of each name counts. What is malformed is
    passed over.

    value: str, bytes or None. Bytes that are not UTF-8 are read as latin-1.
    """

# ---- the server: its Python half is server.py ------------------------------------------------

_State: TypeAlias = Literal["head", "body", "complete", "closed", "refused", "taken over"]

@final
class RequestParser:
    """Reads HTTP/1.1 requests strictly, without a connection: bytes in, events out.

    limits: Limits, of which head, fields, target, body, chunk_extensions and trailers
    count; None is Limits(). One parser reads one connection.
    """
    def __new__(cls, limits: Limits | None = None) -> Self: ...
    def feed(self, data: Buffer, /) -> list[Request | Data | EndOfMessage]:
        """Reads bytes: the events that they complete, a list of Request, Data and
        EndOfMessage.

        RequestError: the request is refused, with a status; so is everything after it.
        RuntimeError: after feed_eof() or take_over().
        """
    def feed_eof(self, /) -> None:
        """The client sends no more. RequestError: in the middle of a request."""
    def next_request(self, /) -> list[Request | Data | EndOfMessage]:
        """Goes on behind a complete message: the events of what waits already, as from feed().

        RuntimeError: the message is not complete, or no other may follow (Connection:
        close).
        """
    def take_over(self, /) -> bytes:
        """The connection goes on in another protocol (RFC 9110, 7.8): bytes, what came behind
        the complete message. The parser reads nothing more. RuntimeError: it is not
        complete.
        """
    @property
    def state(self) -> _State:
        """str: 'head', 'body', 'complete', 'closed', 'refused' or 'taken over'"""
    @property
    def request(self) -> Request | None:
        """Request or None: the one that is being read, is complete, or was refused in its body"""
    @property
    def error(self) -> RequestError | None:
        """RequestError or None: why it was refused"""
    @property
    def pending(self) -> int:
        """int: bytes that wait"""
    @property
    def unused(self) -> bytes:
        """bytes: those that wait"""
    @property
    def awaits_continue(self) -> bool:
        """bool: the client sends its body when it hears 100 Continue (RFC 9110, 10.1.1)"""

@final
class Server:
    """The native half of guava_http.Server."""

    connections: int
    tasks: int
    accepted: int
    answered: int
    refused: int
    timed_out: int
    evicted: int
    disconnected: int
    full: int
    encode: Callable[[Request, Any], Any] | None
    @property
    def hosts(self) -> tuple[bytes, ...] | None:
        """Answered for."""
    @hosts.setter
    def hosts(self, value: tuple[bytes, ...] | None) -> None: ...
    def __init__(
        self,
        handler: Callable[[Request], Any],
        log: Callable[[Request | None, BaseException], object],
        pump: Callable[[Peer, Any], Coroutine[Any, Any, None]],
        wrap: Callable[[Awaitable[Any]], Coroutine[Any, Any, Any]],
        throttle: Callable[[bool], object],
        *,
        limits: Limits,
        timeouts: Timeouts,
        body_policy: Callable[[Request], BodyPolicy | None] | None = None,
        threaded: Callable[[Request], Coroutine[Any, Any, Any]] | None = None,
    ) -> None: ...
    def start(self, loop: AbstractEventLoop, native: bool, secure: bool, /) -> None:
        """Join a loop: through its streams if `native`."""
    def listen(self, fd: int, backlog: int, /) -> None:
        """Accept connections from a bound socket; owns fd."""
    def adopt(self, fd: int, /) -> None:
        """Serve a connected socket; owns fd."""
    def unlisten(self) -> None:
        """Accept no more connections."""
    def drain(self) -> None:
        """Each answer from now on is its connection's last."""
    def close(self, emptied: Callable[[], object], /) -> None:
        """Close idle connections now and the others after their answer;
        call emptied() when none is left.
        """
    def abort(self) -> None:
        """Cut all connections off."""
    def task_done(self) -> None:
        """Work that followed an answer has ended."""
    def stop(self) -> None:
        """Leave the loop."""

@final
@type_check_only
class Peer:
    def __call__(self, task: Future[Any], /) -> None: ...
    @property
    def limits(self) -> Limits: ...
    def send(self, chunk: str | Buffer, /) -> Future[None] | None: ...
    def early_hints(self, request: Request, lines: bytes, /) -> bool: ...

@final
@type_check_only
class BodyReader:
    loop: AbstractEventLoop
    received: int
    def take(self) -> bytes | None: ...
    def take_held(self) -> bytes | None: ...
    def wait(self) -> Future[None]: ...

@final
@type_check_only
class UpgradedTransport:
    def write(self, data: Buffer, /) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...
    def write_eof(self) -> None: ...
    def can_write_eof(self) -> bool: ...
    def is_closing(self) -> bool: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def get_write_buffer_size(self) -> int: ...
    def get_protocol(self) -> BaseProtocol: ...
    def set_protocol(self, protocol: BaseProtocol, /) -> None: ...

@final
class Adapter(BufferedProtocol):
    """A connection of any asyncio transport, for a server's Python half."""
    def __init__(self, server: Server, /) -> None: ...
    def get_buffer(self, sizehint: int, /) -> memoryview:
        """Called to allocate a new receive buffer.

        *sizehint* is a recommended minimal size for the returned
        buffer.  When set to -1, the buffer size can be arbitrary.

        Must return an object that implements the
        :ref:`buffer protocol <bufferobjects>`.
        It is an error to return a zero-sized buffer.
        """

def _probe(
    data: Buffer,
    /,
    *,
    step: int = ...,
    head: int = 65536,
    fields: int = 100,
    target: int = 8190,
    body: int = 8388608,
    chunk_extensions: int = 4096,
    trailers: int = 8192,
) -> tuple[int, dict[str, Any] | None, bytes, int]:
    """Read one request that comes `step` bytes at a time: (status, head, body, bytes taken),
    where status is 0, -1 when the request is incomplete, or the code of its refusal.
    """
