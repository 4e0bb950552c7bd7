"""StaticRouter as a WSGI application, under the standard library's validator."""

import gc
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest
from guava_router import Router, StaticHandler, StaticRouter

CONTENT = bytes(range(256)) * 1024


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    (root / "sub").mkdir(parents=True)
    (root / "big.bin").write_bytes(CONTENT)
    (root / "a b\u00e4.txt").write_text("text")
    (root / "app.js").write_text("plain")
    (root / "app.js.gz").write_text("packed")
    (tmp_path / "secret.txt").write_text("secret")
    return root


class Answer:
    status: str
    headers: dict[str, str]
    body: bytes


def ask(
    app: Callable[..., Any], path: str, method: str = "GET", valid: bool = True, **environ: Any
) -> Answer:
    environ = {"REQUEST_METHOD": method, "SCRIPT_NAME": "", "QUERY_STRING": "", **environ}
    environ["PATH_INFO"] = path.encode().decode("latin-1")
    setup_testing_defaults(environ)
    answer = Answer()

    def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Callable[..., None]:
        answer.status, answer.headers = status, dict(headers)
        assert len(headers) == len(answer.headers)
        return lambda data: None

    result = (validator(app) if valid else app)(environ, start)
    try:
        answer.body = b"".join(result)
    finally:
        if hasattr(result, "close"):
            result.close()
    return answer


def open_files() -> int:
    gc.collect()  # what other tests left behind goes before it is counted, not while
    return len(os.listdir("/dev/fd"))


@pytest.mark.parametrize("wrapper", [None, FileWrapper])
def test_files(site: Path, wrapper: Any) -> None:
    app = StaticRouter("/static", site, precompressed=True).as_wsgi()
    more = {} if wrapper is None else {"wsgi.file_wrapper": wrapper}
    before = open_files()
    whole = ask(app, "/static/big.bin", **more)
    assert (whole.status, whole.body) == ("200 OK", CONTENT)
    assert whole.headers["Content-Length"] == str(len(CONTENT))
    assert ask(app, "/static/a b\u00e4.txt", **more).body == b"text"
    head = ask(app, "/static/big.bin", "HEAD", **more)
    assert (head.status, head.body, head.headers) == ("200 OK", b"", whole.headers)
    part = ask(app, "/static/big.bin", HTTP_RANGE="bytes=5-70004", **more)
    assert (part.status, part.body) == ("206 Partial Content", CONTENT[5:70005])
    several = ask(app, "/static/big.bin", HTTP_RANGE="bytes=0-0,-1", **more)
    assert several.headers["Content-Type"].startswith("multipart/byteranges; boundary=")
    assert len(several.body) == int(several.headers["Content-Length"])
    for key in ("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE"):
        value = whole.headers["ETag" if key.endswith("MATCH") else "Last-Modified"]
        same = ask(app, "/static/big.bin", **{key: value}, **more)
        assert (same.status, same.body) == ("304 Not Modified", b"")
    assert ask(app, "/static/big.bin", HTTP_IF_MATCH='"x"', **more).status.startswith("412 ")
    assert ask(app, "/static/big.bin", HTTP_RANGE="bytes=999999-", **more).status[:4] == "416 "
    packed = ask(app, "/static/app.js", HTTP_ACCEPT_ENCODING="gzip", **more)
    assert (packed.body, packed.headers["Content-Encoding"]) == (b"packed", "gzip")
    assert open_files() == before


def test_what_is_no_file(site: Path) -> None:
    app = StaticRouter("/static", site, True).as_wsgi()
    for path in ("/static/none", "/elsewhere", "/static/../secret.txt", "/static/\x00"):
        assert ask(app, path).status == "404 Not Found", path
    refused = ask(app, "/static/big.bin", "POST")
    assert (refused.status, refused.headers["Allow"]) == (
        "405 Method Not Allowed",
        "GET, HEAD, OPTIONS",
    )
    assert ask(app, "/static/sub").headers["Location"] == "/static/sub/"
    assert ask(app, "/static/sub", SCRIPT_NAME="/app").headers["Location"] == "/app/static/sub/"
    assert b"big.bin" in ask(app, "/static/").body
    # Bytes that are no UTF-8 are the name of no file that a URL may have.
    found = ask(lambda e, s: app({**e, "PATH_INFO": "/static/\xff"}, s), "/", valid=False)
    assert found.status == "404 Not Found"


def test_otherwise(site: Path) -> None:
    def other(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"other"]

    app = StaticRouter("/", site).as_wsgi(otherwise=other)
    assert ask(app, "/none").body == ask(app, "/sub/").body == b"other"
    assert ask(app, "/app.js").body == b"plain"


def test_what_is_registered_beside_the_files(site: Path) -> None:
    def made(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/css")])
        return [environ["wsgiorg.routing_args"][1]["name"].encode()]

    router = StaticRouter("/static", site)
    router.register("/made/{name}.css", made)
    assert ask(router.as_wsgi(), "/static/made/red.css").body == b"red"
    assert ask(router.as_wsgi(), "/static/app.js").body == b"plain"


def test_a_file_that_changes_while_it_is_sent(site: Path) -> None:
    app = Router({"/": StaticHandler(site / "big.bin")}).as_wsgi()

    def grows(environ: Any, start_response: Any) -> Any:
        result = app(environ, start_response)
        with open(site / "big.bin", "ab") as file:
            file.write(b"more")
        return result

    assert ask(grows, "/", **{"wsgi.file_wrapper": FileWrapper}).body == CONTENT
    assert ask(grows, "/").body == CONTENT + b"more"

    def shrinks(environ: Any, start_response: Any) -> Any:
        result = app(environ, start_response)
        os.truncate(site / "big.bin", 70_000)
        return result

    for more in ({}, {"wsgi.file_wrapper": FileWrapper}):
        (site / "big.bin").write_bytes(CONTENT)
        before = open_files()
        with pytest.raises(EOFError, match="after 70000 of"):
            ask(shrinks, "/", **more)
        assert open_files() == before


def test_a_server_that_asks_the_file_for_its_size(site: Path) -> None:
    """As waitress does, which reads with seek() and tell(), and gunicorn, with fileno()."""

    def wrapper(file: Any, size: int) -> Any:
        assert file.tell() == 0
        assert file.seek(0, io.SEEK_END) == file.tell() == len(CONTENT)
        assert file.seek(-4, io.SEEK_CUR) == len(CONTENT) - 4
        assert (file.read(), file.read(), file.seek(0)) == (CONTENT[-4:], b"", 0)
        assert os.pread(file.fileno(), 4, 0) == CONTENT[:4]
        assert file.seekable()
        return FileWrapper(file, size)

    app = StaticRouter("/", site).as_wsgi()
    assert ask(app, "/big.bin", **{"wsgi.file_wrapper": wrapper}).body == CONTENT


def test_a_handler_made_by_hand(site: Path) -> None:
    app = Router({"/": StaticHandler(site / "app.js")}).as_wsgi()
    assert ask(app, "/").body == b"plain"
    assert ask(app, "/", HTTP_RANGE="bytes=1-2").body == b"la"
    assert ask(app, "/", "POST").status == "405 Method Not Allowed"
    (site / "app.js").unlink()
    assert ask(app, "/").status == "404 Not Found"
    assert ask(app, "/", "HEAD").status == "404 Not Found"


def test_a_server_that_fails_leaves_no_file_open(site: Path) -> None:
    app = StaticRouter("/", site).as_wsgi()
    before = open_files()
    environ: dict[str, Any] = {"PATH_INFO": "/big.bin"}
    setup_testing_defaults(environ)
    with pytest.raises(ZeroDivisionError):
        app(environ, lambda *given: 1 // 0)  # type: ignore[arg-type, return-value]
    assert open_files() == before
    # A client that leaves: the server closes what it has not read to the end.
    result = app(environ, lambda *given: lambda data: None)
    next(iter(result))
    result.close()  # type: ignore[attr-defined]
    assert open_files() == before
