"""A web framework of your own, from the parts of Guava, and an application on it.

It uses guava_loop, guava_http, guava_router and guava_session, each by itself; the package
`guava` is not needed. Routes come from decorators, functions are plain or async, errors are
exceptions, and every request has a session.

    python own_framework.py [PORT]
"""

import inspect
import logging
import sys
from collections.abc import Callable
from typing import Any

import guava_loop
from guava_http import Request, Response, Server
from guava_router import Router
from guava_session import Mem, Session, SessionManager, SessionStore

Function = Callable[..., Any]
log = logging.getLogger("own_framework")


class Problem(Exception):
    """Raise it to answer with an error: Problem(404, "no such thing")."""

    def __init__(self, status: int, text: str, **headers: str) -> None:
        super().__init__(status, text)
        self.response = Response(
            {"error": text},
            status=status,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )


class Context:
    """What a function gets: the request, and the visitor's session."""

    def __init__(self, request: Request, session: Session) -> None:
        self.request = request
        self.session = session


class Endpoint:
    """The functions of one path, by method."""

    def __init__(self) -> None:
        self.functions: dict[str, Function] = {}

    def __call__(self, request: Request) -> Function:
        method = "GET" if request.method == "HEAD" else request.method
        if method not in self.functions:
            raise Problem(405, f"no {method} here", Allow=", ".join(sorted(self.functions)))
        return self.functions[method]


class App:
    def __init__(self) -> None:
        self.endpoints: dict[str, Endpoint] = {}
        self.router = Router()
        self.sessions = SessionManager(SessionStore(type=Mem))

    def on(self, method: str, path: str) -> Callable[[Function], Function]:
        """@app.on("GET", "/path") on a function of one argument, the context."""

        def register(function: Function) -> Function:
            if path not in self.endpoints:
                self.endpoints[path] = Endpoint()
                self.router.register(path, self.endpoints[path])
            self.endpoints[path].functions[method] = function
            return function

        return register

    async def __call__(self, request: Request) -> Response:
        """The handler for guava_http: finds the function, calls it, keeps the session."""
        session = self.sessions.open(request.COOKIES.get(self.sessions.cookie_name))
        try:
            endpoint = self.router.route(request)
            if endpoint is None:
                raise Problem(404, f"nothing at {request.path}")
            result = endpoint(request)(Context(request, session))
            if inspect.isawaitable(result):
                result = await result
        except Problem as problem:
            return problem.response
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            return Problem(500, "something went wrong").response
        response = result if isinstance(result, Response) else Response(result)
        for name, value in self.sessions.headers(session):
            response.headers.add(name, value)
        return response

    async def serve(self, port: int = 8000) -> None:
        server = Server(self, host="127.0.0.1", port=port)
        await server.start()
        print(f"Serving at http://127.0.0.1:{server.port}/", flush=True)
        await server.serve_forever()


# ---- and an application on it: a shared list of things to do -----------------------------------

app = App()
todo: dict[int, str] = {1: "eat a guava"}


@app.on("GET", "/")
def index(context: Context) -> str:
    context.session["visits"] = context.session.get("visits", 0) + 1
    return f"<h1>{len(todo)} to do</h1><p>This is your visit {context.session['visits']}.</p>"


@app.on("GET", "/todo")
def read(context: Context) -> dict[int, str]:
    return todo


@app.on("POST", "/todo")
async def add(context: Context) -> Response:
    data = context.request.json()
    if not isinstance(data, str) or not data.strip():
        raise Problem(422, "send the thing to do as a JSON string")
    number = max(todo, default=0) + 1
    todo[number] = data.strip()
    return Response({"number": number}, status=201)


if __name__ == "__main__":
    guava_loop.run(app.serve(int(sys.argv[1]) if len(sys.argv) > 1 else 8000))
