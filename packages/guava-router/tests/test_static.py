"""StaticRouter: files, directories, and everything that tries to get out or to get stuck."""

import errno
import gc
import os
import random
import socket
from pathlib import Path

import pytest
from guava_router import (
    AllowedMethods,
    Handler,
    Listing,
    MethodNotAllowed,
    RedirectHandler,
    StaticHandler,
    StaticRouter,
)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    (root / "css").mkdir(parents=True)
    (root / "docs").mkdir()
    (root / "a b").mkdir()
    (root / ".well-known").mkdir()
    (root / ".git").mkdir()
    for name, text in {
        "hello.txt": "hello",
        "css/app.css": "a {}",
        "docs/index.html": "<h1>docs</h1>",
        "a b/ä%.txt": "umlaut",
        ".well-known/security.txt": "mail",
        ".env": "secret",
        ".git/config": "secret",
        "css/.hidden": "secret",
        "no-suffix": "x",
    }.items():
        (root / name).write_text(text)
    (tmp_path / "outside.txt").write_text("secret")
    (tmp_path / "site-old").mkdir()
    (tmp_path / "site-old" / "old.txt").write_text("secret")
    return root


@pytest.fixture
def router(site: Path) -> StaticRouter:
    return StaticRouter("/static", site)


def read(answer: object) -> bytes:
    assert isinstance(answer, StaticHandler), answer
    with answer.open() as file:
        return file.read()


@pytest.mark.parametrize(
    ("path", "content", "content_type"),
    [
        ("/hello.txt", b"hello", "text/plain; charset=utf-8"),
        ("/css/app.css", b"a {}", "text/css; charset=utf-8"),
        ("/docs/index.html", b"<h1>docs</h1>", "text/html; charset=utf-8"),
        ("/docs/", b"<h1>docs</h1>", "text/html; charset=utf-8"),
        ("/a b/ä%.txt", b"umlaut", "text/plain; charset=utf-8"),
        ("/.well-known/security.txt", b"mail", "text/plain; charset=utf-8"),
        ("/no-suffix", b"x", "application/octet-stream"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_files(router, request_to, path, content, content_type, method) -> None:
    answer = router.route(request_to("/static" + path, method))
    assert answer.content_type == content_type
    with answer.open() as file:
        assert file.read() == content
        assert file.size == len(content)
        assert dict(file.headers) == {
            "Content-Type": content_type,
            "Content-Length": str(len(content)),
            "ETag": file.etag,
            "Last-Modified": file.last_modified,
            "X-Content-Type-Options": "nosniff",
        }
    assert read(router.resolve(path)) == content


OUT = [
    "/../outside.txt",
    "/..",
    "/../site/hello.txt",
    "/../site-old/old.txt",
    "/css/../../outside.txt",
    "/css/../hello.txt",
    "/./hello.txt",
    "/css/./app.css",
    "/css/..",
    "/css/.",
    "//hello.txt",
    "//etc/passwd",
    "/css//app.css",
    "/css/app.css/",
    "/css/app.css//",
    "/hello.txt/",
    "/hello.txt\0",
    "/\0",
    "/hello.txt\0.css",
    "/hello\n.txt",
    "/\x7f",
    "/\x85",
    "/..\\outside.txt",
    "\\..\\outside.txt",
    "/css\\app.css",
    "/..;/outside.txt",
    "/..../outside.txt",
    "/....//outside.txt",
    "/%2e%2e/outside.txt",
    "/..%2foutside.txt",
    "/%252e%252e/outside.txt",
    "/%2e%2e%2foutside.txt",
    "/..%5coutside.txt",
    "/%00",
    "/%c0%ae%c0%ae/outside.txt",
    "/\uff0e\uff0e/outside.txt",
    "/\uff0e\uff0e\uff0foutside.txt",
    "/\udcff",
    "/\udc2e\udc2e/outside.txt",
    "/~",
    "/~root",
    "/:",
    "/C:/hello.txt",
    "/C:\\hello.txt",
    "/con",
    "/hello.txt::$DATA",
    "/hello.txt.bak",
    "/hello.txt~",
    "/.env",
    "/.git",
    "/.git/",
    "/.git/config",
    "/css/.hidden",
    "/.well-known-not/x",
    "/.well-known/../.env",
    "/" + "x" * 256,
    "/" + "ä" * 128,
    "/" + "a/" * 3000,
    "/" + "x" * 100_000,
]


@pytest.mark.parametrize("path", OUT, ids=ascii)
@pytest.mark.parametrize("follow_symlinks", [False, True])
def test_no_way_out(site, request_to, path: str, follow_symlinks: bool) -> None:
    for mount_point in ("/static", "/"):
        router = StaticRouter(mount_point, site, True, follow_symlinks=follow_symlinks)
        full = path if mount_point == "/" else mount_point + path
        assert router.route(request_to(full)) is None
        assert router.resolve(path) is None


@pytest.mark.parametrize("seed", range(4))
def test_random_paths_never_leave_the_directory(site: Path, seed: int) -> None:
    """Whatever is put together from these, a file that is opened lies inside and is no secret."""
    (site / "out").symlink_to("..")
    (site / "in").symlink_to("css")
    pieces = ["/", "/", "/", "..", ".", "css", "docs", "hello.txt", "app.css", "site", "site-old"]
    pieces += ["old.txt", "outside.txt", "in", "out", "%2e", "%2f", "\\", "\0", " ", "\uff0e", "~"]
    pieces += [".env", ".git", "config", ".well-known", "security.txt", "a b", "\udcff", "\u2215"]
    rng = random.Random(seed)
    routers = [
        StaticRouter("/", site, rng.random() < 0.5, follow_symlinks=follow) for follow in (0, 1)
    ]
    inside = {
        os.stat(os.path.join(folder, name)).st_ino
        for folder, _, names in os.walk(site)
        for name in names
    }
    files = 0
    for _ in range(3000):
        path = "/" + "".join(rng.choices(pieces, k=rng.randrange(1, 7)))
        for router in routers:
            answer = router.resolve(path)
            if not isinstance(answer, StaticHandler):
                continue
            files += 1
            with answer.open() as file:
                assert os.fstat(file.fd).st_ino in inside, path
                assert file.read() != b"secret", path
    assert files > 10, "the paths find nothing, so they prove nothing"


def test_other_paths_are_not_its_own(router, request_to) -> None:
    for path in ("/", "/hello.txt", "/staticfoo", "/static.txt", "/static\0", "/stati"):
        assert router.route(request_to(path)) is None
        assert router.route(request_to(path, "POST")) is None


@pytest.mark.parametrize("name", ["resolve"])
def test_a_path_without_a_slash_is_none(router, name: str) -> None:
    assert getattr(router, name)("hello.txt") is None
    assert getattr(router, name)("") is None


def test_links(site: Path, tmp_path: Path) -> None:
    (site / "in.txt").symlink_to("hello.txt")
    (site / "in-dir").symlink_to("css")
    (site / "out.txt").symlink_to("../outside.txt")
    (site / "out-dir").symlink_to("..")
    (site / "absolute.txt").symlink_to(tmp_path / "outside.txt")
    (site / "inside-absolute.txt").symlink_to(site / "hello.txt")
    (site / "loop").symlink_to("loop")
    names = "out.txt out-dir out-dir/ out-dir/outside.txt absolute.txt inside-absolute.txt loop"
    for follow in (False, True):
        router = StaticRouter("/", site, True, follow_symlinks=follow)
        for name in names.split():
            assert router.resolve("/" + name) is None, (name, follow)
    strict = StaticRouter("/", site)
    assert strict.resolve("/in.txt") is None
    assert strict.resolve("/in-dir/app.css") is None
    loose = StaticRouter("/", site, follow_symlinks=True)
    if os.uname().sysname == "Linux":
        assert read(loose.resolve("/in.txt")) == b"hello"
        assert read(loose.resolve("/in-dir/app.css")) == b"a {}"


def test_dotfiles_if_wanted(site: Path) -> None:
    router = StaticRouter("/", site, True, allow_dotfiles=True)
    assert read(router.resolve("/.env")) == b"secret"
    assert read(router.resolve("/.git/config")) == b"secret"
    assert router.resolve("/../outside.txt") is None
    assert router.resolve("/.") is None
    listing = router.resolve("/")
    assert isinstance(listing, Listing)
    assert ".env" in {entry.name for entry in listing.entries}


def test_what_is_neither_file_nor_directory(site: Path) -> None:
    os.mkfifo(site / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(site / "socket"))
        router = StaticRouter("/", site, True)
        assert router.resolve("/fifo") is None
        assert router.resolve("/socket") is None
        assert not {"fifo", "socket"} & {entry.name for entry in router.resolve("/").entries}


def test_devices() -> None:
    router = StaticRouter("/", "/dev", True)
    assert router.resolve("/null") is None
    assert router.resolve("/zero") is None


def test_a_file_that_nobody_may_read(site: Path) -> None:
    (site / "closed.txt").write_text("x")
    (site / "closed.txt").chmod(0)
    if os.geteuid() == 0:
        os.chmod(site / "closed.txt", 0o000)
        assert StaticRouter("/", site).resolve("/closed.txt") is not None, "root may"
    else:
        assert StaticRouter("/", site).resolve("/closed.txt") is None


def test_a_sparse_file_of_four_gigabytes(site: Path) -> None:
    with open(site / "big.bin", "wb") as file:
        file.truncate(2**32 + 1)
    with StaticRouter("/", site).resolve("/big.bin").open() as opened:
        assert opened.size == 2**32 + 1
        assert dict(opened.headers)["Content-Length"] == "4294967297"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "get"])
def test_only_get_and_head(router, request_to, method: str) -> None:
    answer = router.route(request_to("/static/hello.txt", method))
    assert isinstance(answer, MethodNotAllowed)
    assert answer.header("Allow") == "GET, HEAD, OPTIONS"


def test_options(router, request_to) -> None:
    answer = router.route(request_to("/static/hello.txt", "OPTIONS"))
    assert isinstance(answer, AllowedMethods)
    assert answer.allowed == ("GET", "HEAD", "OPTIONS")


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/static", "/static/"),
        ("/static/css", "/static/css/"),
        ("/static/a b", "/static/a%20b/"),
        ("/static/q?x#y%41", "/static/q%3Fx%23y%2541/"),
        ("/static/ä", "/static/%C3%A4/"),
    ],
)
def test_a_directory_is_redirected_to_its_slash(site, router, request_to, path, location) -> None:
    (site / "q?x#y%41").mkdir()
    (site / "ä").mkdir()
    answer = router.route(request_to(path))
    assert isinstance(answer, RedirectHandler)
    assert (answer.status, answer.header("location")) == (301, location)


def test_no_redirect_to_another_server(site: Path, request_to) -> None:
    (site / "evil.example").mkdir()
    router = StaticRouter("/", site, True)
    for path in ("//evil.example", "//evil.example/", "/\\evil.example", "///evil.example"):
        assert router.route(request_to(path)) is None


def test_a_directory_without_an_index_is_shown_only_if_allowed(site: Path) -> None:
    assert StaticRouter("/", site).resolve("/css/") is None
    assert isinstance(StaticRouter("/", site, allow_index=True).resolve("/css/"), Listing)
    assert read(StaticRouter("/", site, True).resolve("/docs/")) == b"<h1>docs</h1>"


def test_an_index_that_is_no_file(site: Path) -> None:
    (site / "css" / "index.html").mkdir()
    assert StaticRouter("/", site).resolve("/css/") is None
    (site / "a b" / "index.html").symlink_to("../../outside.txt")
    assert StaticRouter("/", site).resolve("/a b/") is None


def test_the_file_that_was_found_is_the_one_that_is_sent(site: Path, router) -> None:
    handler = router.resolve("/hello.txt")
    (site / "new").write_text("another")
    os.replace(site / "new", site / "hello.txt")
    assert read(handler) == b"hello"
    assert read(handler) == b"another", "a second open is of what is there then"
    (site / "hello.txt").unlink()
    with pytest.raises(FileNotFoundError):
        handler.open()


def test_a_directory_may_be_renamed_but_not_exchanged(site: Path, tmp_path: Path) -> None:
    router = StaticRouter("/", site)
    site.rename(tmp_path / "renamed")
    site.mkdir()
    (site / "hello.txt").write_text("not this one")
    assert read(router.resolve("/hello.txt")) == b"hello"


def test_directories_that_cannot_be_served(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"StaticRouter\('/static'\)") as caught:
        StaticRouter("/static", tmp_path / "missing")
    assert caught.value.filename == str(tmp_path / "missing")
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        StaticRouter("/static", tmp_path / "file")
    with pytest.raises(TypeError):
        StaticRouter("/static", None)  # type: ignore[arg-type]


def test_the_default_is_a_folder_of_this_name(tmp_path: Path, monkeypatch, request_to) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "x.js").write_text("1")
    monkeypatch.chdir(tmp_path)
    router = StaticRouter()
    monkeypatch.chdir("/")
    assert read(router.route(request_to("/static/x.js"))) == b"1"


def test_patterns_beside_the_files(router, request_to) -> None:
    handler = Handler(module="m", controller="C")
    router.register("/generated.css", handler)
    assert router.route(request_to("/static/generated.css")) is handler
    assert router.route(request_to("/static/generated.css", "POST")) is handler
    assert read(router.route(request_to("/static/hello.txt"))) == b"hello"
    assert len(router.routes()) == 2


def test_nothing_stays_open(router, request_to) -> None:
    def open_files() -> int:
        gc.collect()
        return len(os.listdir("/dev/fd"))

    router.route(request_to("/static/hello.txt"))
    before = open_files()
    for path in ("/static/hello.txt", "/static/", "/static/docs/", "/static/css", "/static/no"):
        for _ in range(5):
            router.route(request_to(path))  # the handler is dropped unopened
    file = router.route(request_to("/static/hello.txt")).open()
    fd = file.detach()
    assert (file.fd, os.read(fd, 9)) == (-1, b"hello")
    del file
    gc.collect()
    os.close(fd)
    assert open_files() == before
    router.close()
    router.close()
    assert open_files() == before - 1
    assert router.route(request_to("/static/hello.txt")) is None


def test_other_errors_are_not_hidden(router, monkeypatch) -> None:
    def too_many(*args: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("guava_router.static.open_beneath", too_many)
    with pytest.raises(OSError, match="Too many open files"):
        router.resolve("/hello.txt")
