"""Controllers: classes whose public methods answer requests."""

import json
import string
from collections.abc import AsyncIterable, Awaitable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

from guava_http import QueryDict, Request, RequestHeaders, Response

from ._sessions import Binding

if TYPE_CHECKING:
    from guava_session import Session

__all__ = ["Answer", "Controller"]

#: What an action may return; None for what it has said through its methods.
Answer: TypeAlias = (
    str
    | bytes
    | dict[str, Any]
    | list[Any]
    | Response
    | Iterable[str | bytes]
    | AsyncIterable[str | bytes]
    | None
)

# A location is a URL already: only what cannot stand in one at all is encoded. The controls are
# left for the response to refuse.
_AS_IT_IS = "".join(set(string.printable) - set(' "<>\\^`{|}')) + "\0"


class Controller:
    """The base of all controllers.

    One instance serves one request. A router finds the class and the method (the *action*) by the
    URL; only public methods that your own class defines can be reached, never one of those below.

    An action is a ``def`` or an ``async def``. It takes the further parts of the URL as
    arguments, ``str`` or what their annotations say, and answers by one of

    - returning ``str`` or ``bytes`` (sent as ``text/html; charset=utf-8`` unless a Content-Type is
      set), a ``dict`` or ``list`` (sent as JSON), a ``Response``, or an iterator or async iterator
      of ``str`` or ``bytes`` (sent piece by piece);
    - calling `write`, any number of times, and returning None;
    - calling `redirect`.

    Status, fields and cookies that were set on the controller also go with a returned value; if it
    is a ``Response``, its own status and fields win.

    A class may have an ``__init__`` without arguments. The request is not there yet when it runs;
    what needs the request belongs into `before_action`.
    """

    __slots__ = ("_binding", "_out", "_resp", "_session", "req")

    #: The request that is answered.
    req: Request

    _out: str | list[str | bytes] | None
    _resp: Response | None
    #: The session; until it is touched, what can open it.
    _session: "Session | Binding"
    #: What has opened the session.
    _binding: Binding

    # ---- what came ---------------------------------------------------------------------------

    @property
    def GET(self) -> QueryDict:
        """The query of the URL: the last value of each name; ``GET.getlist(name)`` has all."""
        return self.req.GET

    @property
    def POST(self) -> QueryDict:
        """The fields of a form in the body (urlencoded or multipart), as `GET`; a form's files
        are in ``req.files``."""
        return self.req.POST

    @property
    def COOKIES(self) -> dict[str, str]:
        """The cookies that the client sent."""
        return self.req.COOKIES

    @property
    def HEADERS(self) -> RequestHeaders:
        """The header fields of the request; names in any case."""
        return self.req.HEADERS

    @property
    def SESSION(self) -> "Session":
        """The visitor's session, a mapping; it is loaded when it is first touched.

        Raises:
            RuntimeError: the controller's router has no session store.
        """
        session = self._session
        if isinstance(session, Binding):
            self._binding = session
            session = self._session = session.open(self.req)
        return session

    # ---- what goes ---------------------------------------------------------------------------

    @property
    def resp(self) -> Response:
        """The response as it will be sent; made when it is first touched.

        In `after_action` its body is the action's result.
        """
        resp = self._resp
        if resp is None:
            resp = self._resp = Response()
        return resp

    def write(self, data: str | bytes | dict[str, Any] | list[Any]) -> None:
        """Adds to the body: text (sent as UTF-8), bytes, or a dict or list as JSON.

        Raises:
            TypeError: data is something else.
        """
        if type(data) is str and self._out is None:
            self._out = data
            return
        if isinstance(data, (dict, list)):
            data = json.dumps(data)
            if "Content-Type" not in self.resp.headers:
                self.resp.headers["Content-Type"] = "application/json"
        elif not isinstance(data, (str, bytes)):
            raise TypeError(f"write() takes str, bytes, dict or list, not {type(data).__name__}")
        out = self._out
        if out is None:
            self._out = data if isinstance(data, str) else [data]
        elif isinstance(out, list):
            out.append(data)
        else:
            self._out = [out, data]

    def set_status_code(self, code: int) -> None:
        """Sets the status of the answer, 200 to 599.

        Raises:
            ValueError: it is not such a number.
        """
        self.resp.status = code

    def set_header(self, name: str, value: str) -> None:
        """Sets a field of the answer, instead of an earlier one of this name.

        Raises:
            ValueError: name is not a token, or value holds CR, LF or NUL (RFC 9110, section 5).
        """
        self.resp.headers[name] = value

    def set_cookie(self, name: str, value: str = "", **attributes: Any) -> None:
        """Sends a cookie. The attributes are those of ``Response.set_cookie``: ``max_age`` in
        seconds, ``expires``, ``path``, ``domain``, ``secure``, ``httponly``, ``samesite``.

        Raises:
            ValueError: a part of it cannot stand in a cookie (RFC 6265, section 4.1).
        """
        self.resp.set_cookie(name, value, **attributes)

    def redirect(self, location: str, status: int = 302) -> Response:
        """Makes the answer a redirect. Called in `before_action`, it also skips the action.

        An address that somebody typed may lead to a foreign site: check it before you use it here.

        Args:
            location: a URL or a path; what is not ASCII is percent-encoded.
            status: 301, 302, 303, 307 or 308. After a form use 303, so that the browser comes back
                with GET.

        Returns:
            `resp`, so that an action may end with ``return self.redirect(...)``.

        Raises:
            ValueError: status is another number, or location holds CR, LF or NUL.
        """
        if status not in (301, 302, 303, 307, 308):
            raise ValueError(f"a redirect has status 301, 302, 303, 307 or 308, not {status!r}")
        resp = self.resp
        resp.headers["Location"] = quote(location, safe=_AS_IT_IS)
        resp.status = status
        return resp

    def url_for(self, name: str, /, query: Any = None, **params: Any) -> str:
        """The path of a route by its name, percent-encoded: for links and redirects.

        Args:
            name: an action's, ``"post.view"`` (in packages ``"admin.post.view"``, of resources
                ``"users.get_one"``), or what a pattern was registered with. The names of the
                controller's own router go before those of others.
            query: a mapping or pairs for behind the "?"; a list as a value counts once for each
                item.
            params: the action's arguments, or the pattern's parameters.

        Raises:
            LookupError: no route has this name, or several other routers have; guava-router's
                UnknownRoute.
            TypeError: a parameter is missing, is not the route's, or has the wrong type.
            ValueError: a value cannot stand in a path.
        """
        session = self._session
        binding = session if isinstance(session, Binding) else self._binding
        return binding.url_for(name, query, params)

    # ---- to override -------------------------------------------------------------------------

    def before_action(self) -> Answer | bool | Awaitable[Answer | bool]:
        """Runs before the action; ``def`` or ``async def``.

        The action runs unless this redirects or returns something: False answers with what was
        written or set so far (403 if nothing was); anything but None and True is the answer.
        """
        return None

    def after_action(self) -> Awaitable[None] | None:
        """Runs after the action (not if that raised, or was skipped); ``def`` or ``async def``.

        `resp` is the answer with its body, and may be changed. Changes of the session still count.
        """
        return None
