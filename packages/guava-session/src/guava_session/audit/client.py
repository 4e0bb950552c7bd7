"""Requests to the site under test: over sockets or into a WSGI application, few and polite.

It is separate from `Visitor`, because the limits hold for all visitors together: which hosts may
be asked, how many requests are sent, and how long is waited between two of them.
"""

from __future__ import annotations

import http.client
import io
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import unquote_to_bytes, urlsplit

from .errors import ConfigError, Elsewhere, OutOfRequests, Refused, Unreachable

USER_AGENT = "guava-session-audit/1 (tests the sessions of this site, on behalf of its owner)"

#: Of a page no more is read: enough for any form, and an endless one ends.
MAX_BODY = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """One request: what a transport sends."""

    method: str
    url: str  #: absolute
    headers: tuple[tuple[str, str], ...] = ()  #: names and values, as latin-1
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """The site's answer to one request."""

    url: str
    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def get_all(self, name: str) -> list[str]:
        """The values of all fields with this name."""
        return [value for found, value in self.headers if found.lower() == name.lower()]

    def get(self, name: str) -> str:
        """The values of all fields with this name, joined by commas; "" without one."""
        return ", ".join(self.get_all(name))

    @property
    def text(self) -> str:
        """The body as UTF-8; what is none is replaced."""
        return self.body.decode("utf-8", "replace")


#: What carries a request to the site.
Transport: TypeAlias = Callable[[Request], Answer]


def origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of an absolute http or https URL.

    :raises ConfigError: for anything else
    """
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        host = parts.hostname or ""
    except (ValueError, KeyError):
        host, port = "", 0
    if not host:
        raise ConfigError(f"{url!r} is no address: it must begin with http:// or https://")
    return parts.scheme, host, port


class HTTPTransport:
    """Sends requests over the network, each on a connection of its own.

    :param timeout: seconds for connecting and for each read
    :param ca: a file of certificates (PEM) to trust in place of the system's
    :param insecure: whether any certificate will do
    """

    def __init__(
        self, timeout: float = 10.0, ca: str | None = None, insecure: bool = False
    ) -> None:
        self.timeout = timeout
        try:
            self._tls = ssl.create_default_context(cafile=ca)
        except OSError as error:
            raise ConfigError(f"the certificates in {ca!r} cannot be read: {error}") from None
        if insecure:
            self._tls.check_hostname = False
            self._tls.verify_mode = ssl.CERT_NONE

    def __call__(self, request: Request) -> Answer:
        """:raises Unreachable: there was no answer"""
        scheme, host, port = origin_of(request.url)
        parts = urlsplit(request.url)
        connection: http.client.HTTPConnection
        if scheme == "https":
            connection = http.client.HTTPSConnection(
                host, port, timeout=self.timeout, context=self._tls
            )
        else:
            connection = http.client.HTTPConnection(host, port, timeout=self.timeout)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.putrequest(request.method, target, skip_accept_encoding=True)
            for name, value in request.headers:
                connection.putheader(name, value.encode("latin-1"))
            connection.endheaders(request.body or None)
            response = connection.getresponse()
            body = response.read(MAX_BODY)
            return Answer(request.url, response.status, response.getheaders(), body)
        except ssl.SSLCertVerificationError as error:
            raise Unreachable(
                f"{host}'s certificate is not trusted ({error.verify_message}); name the one to "
                "trust with --ca FILE"
            ) from None
        except TimeoutError:
            raise Unreachable(
                f"{scheme}://{host}:{port} gave no answer within {self.timeout:g} seconds "
                "(--timeout)"
            ) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            what = " ".join(str(error).split()) or type(error).__name__
            raise Unreachable(f"{scheme}://{host}:{port} cannot be asked: {what}") from None
        finally:
            connection.close()


class WSGITransport:
    """Sends requests into a WSGI application (PEP 3333), for an audit in its own tests."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application

    def __call__(self, request: Request) -> Answer:
        scheme, host, port = origin_of(request.url)
        parts = urlsplit(request.url)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(parts.path or "/").decode("latin-1"),
            "QUERY_STRING": parts.query,
            "SERVER_NAME": host,
            "SERVER_PORT": str(port),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": parts.netloc,
            "CONTENT_LENGTH": str(len(request.body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": scheme,
            "wsgi.input": io.BytesIO(request.body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in request.headers:
            key = name.upper().replace("-", "_")
            environ[key if key.startswith("CONTENT_") else f"HTTP_{key}"] = value
        head: list[Any] = []

        def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
            head[:] = [int(status.split()[0]), [(str(k), str(v)) for k, v in headers]]
            return lambda data: None

        try:
            body = self.application(environ, start_response)
            try:
                content = b"".join(body)
            finally:
                if hasattr(body, "close"):
                    body.close()
            status, headers = head
        except Exception:  # what a server makes of an application that raises
            status, headers, content = 500, [], b"Internal Server Error"
        return Answer(request.url, status, headers, content[:MAX_BODY])


class Client:
    """Everything the audit sends goes through here.

    :param transport: what carries the requests
    :param url: the site; only its scheme, host and port are asked
    :param allowed: other addresses that may be asked, too
    :param delay: seconds between two requests
    :param max_requests: after so many it is over
    """

    def __init__(
        self,
        transport: Transport,
        url: str,
        allowed: Iterable[str] = (),
        delay: float = 0.0,
        max_requests: int = 1000,
    ) -> None:
        self.transport = transport
        self.delay = delay
        self.max_requests = max_requests
        self.sent = 0
        self._origins = {origin_of(address) for address in (url, *allowed)}
        self._lock = threading.Lock()

    def may_ask(self, url: str) -> bool:
        """Whether it is an address of the site."""
        return origin_of(url) in self._origins

    def send(self, request: Request, *, wait: bool = True) -> Answer:
        """Send one request.

        :param wait: False: without the delay, for requests that must be parallel
        :raises AuditError: why there is no answer
        """
        if not self.may_ask(request.url):
            scheme, host, port = origin_of(request.url)
            raise Elsewhere(
                f"the site leads to {scheme}://{host}:{port}, which was not named; if you may "
                f"test that, too: --allow {scheme}://{host}:{port}"
            )
        with self._lock:
            if self.sent >= self.max_requests:
                raise OutOfRequests(
                    f"the limit of {self.max_requests} requests is reached (--max-requests)"
                )
            if self.delay and self.sent and wait:
                time.sleep(self.delay)
            self.sent += 1
        headers = (("User-Agent", USER_AGENT), ("Accept", "text/html, */*"), *request.headers)
        if request.body or request.method not in ("GET", "HEAD"):
            headers += (("Content-Length", str(len(request.body))),)
        answer = self.transport(Request(request.method, request.url, headers, request.body))
        if answer.status == 429:
            after = answer.get("Retry-After")
            hint = f" and wants a pause of {after}" if after else ""
            raise Refused(f"the site answers 429 (too many requests){hint}; try --delay 2")
        return answer
