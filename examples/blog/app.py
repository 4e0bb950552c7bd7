"""The demo of Guava: a small blog. `python app.py --help` names the options."""

import argparse
import logging
from pathlib import Path

import guava
import page
from guava.handler import Handler
from guava.request import Request
from guava.response import Response
from misc import Shortcuts
from store import store

FOLDER = Path(__file__).resolve().parent


class Blog(guava.server.Server):
    """The server, with error pages in the blog's own look."""

    def error_page(
        self, req: Request, status: int, text: str | None, error: Exception | None
    ) -> Response | str:
        # A traceback, and what a program reads, are better as they are.
        if error is not None or req.path.startswith("/api/"):
            return super().error_page(req, status, text, error)
        return page.error_page(req, status, text)


def make_server(data: Path, host: str, port: int, debug: bool = False) -> Blog:
    """The whole application: four routers over one store of posts and one of sessions.

    Args:
        data: the folder of the SQLite file and the sessions; it is made if it is not there.
        host: the address to listen on.
        port: 0 takes a free one.
        debug: show tracebacks, and start anew when a source changes.
    """
    store.open(data / "blog.sqlite3")
    sessions = guava.session.SessionStore(type=guava.session.File, directory=data / "sessions")
    about = Handler(module="misc", controller="MiscController", action="about")

    server = Blog(ip=host, port=port, debug=debug, auto_reload=debug)
    server.add_router(
        Shortcuts({"/about": about}, session_store=sessions),
        guava.router.MVCRouter("/", package="controllers", session_store=sessions),
        guava.router.RESTRouter("/api", package="api"),
        guava.router.StaticRouter("/static", directory=FOLDER / "static", allow_index=True),
    )
    return server


def main() -> None:
    parser = argparse.ArgumentParser(prog="blog", description="The demo of Guava: a small blog.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", default=8000, type=int, help="0 takes a free one (%(default)s)")
    parser.add_argument("--data", default=FOLDER / "data", type=Path, help="folder of the data")
    parser.add_argument("--debug", action="store_true", help="tracebacks, and reload on changes")
    options = parser.parse_args()
    if not 0 <= options.port <= 65535:
        parser.error(f"a port is a number from 0 to 65535, not {options.port}")

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    server = make_server(options.data, options.host, options.port, options.debug)
    try:
        server.serve(ready=lambda url: print(f"Guava's demo is at {url}", flush=True))
    finally:
        store.close()


if __name__ == "__main__":
    main()
