"""Static files over the real server: what is served, what is not, and how little is sent again."""

import http.client
import os
import socket
from collections.abc import Callable
from pathlib import Path

import guava
import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "files"
    (folder / "sub" / "deep").mkdir(parents=True)
    (folder / "withindex").mkdir()
    (folder / "a.txt").write_text("text")
    (folder / "style.css").write_text("b { color: red }")
    (folder / "ü ö.html").write_text("<p>ü</p>")
    (folder / "big.bin").write_bytes(os.urandom(3_000_000))
    (folder / "empty.txt").write_bytes(b"")
    (folder / ".hidden").write_text("hidden")
    (folder / "sub" / "<b>.txt").write_text("odd name")
    (folder / "withindex" / "index.html").write_text("the index")
    (folder / "out").symlink_to(tmp_path / "secret.txt")
    (folder / "outdir").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    return folder


@pytest.fixture
def client(folder: Path, run: Callable):
    server = guava.server.Server(port=0)
    server.add_router(guava.router.StaticRouter("/static", directory=folder, allow_index=True))
    return run(server)


def test_a_file(client, folder: Path) -> None:
    answer = client.ask("/static/a.txt")
    assert (answer.status, answer.text) == (200, "text")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert client.ask("/static/style.css").headers["Content-Type"].startswith("text/css")
    assert client.ask("/static/%C3%BC%20%C3%B6.html").text == "<p>ü</p>"
    assert client.ask("/static/empty.txt").body == b""
    assert client.ask("/static/big.bin").body == (folder / "big.bin").read_bytes()


def test_head(client) -> None:
    answer = client.ask("/static/big.bin", "HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Length"] == "3000000"


def test_not_modified(client) -> None:
    first = client.ask("/static/a.txt")
    for field, value in [
        ("If-None-Match", first.headers["ETag"]),
        ("If-None-Match", f'"x", {first.headers["ETag"]}'),
        ("If-None-Match", "*"),
        ("If-Modified-Since", first.headers["Last-Modified"]),
    ]:
        answer = client.ask("/static/a.txt", headers={field: value})
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers["ETag"] == first.headers["ETag"]
    answer = client.ask("/static/a.txt", headers={"If-None-Match": '"other"'})
    assert (answer.status, answer.text) == (200, "text")


def test_ranges(client, folder: Path) -> None:
    content = (folder / "big.bin").read_bytes()
    first = client.ask("/static/big.bin", headers={"Range": "bytes=1000000-"})
    assert (first.status, first.body) == (206, content[1000000:])
    assert first.headers["Content-Range"] == "bytes 1000000-2999999/3000000"
    tag = first.headers["ETag"]
    for guard, status in ((tag, 206), ('"other"', 200)):
        fields = {"Range": "bytes=-5", "If-Range": guard}
        assert client.ask("/static/big.bin", headers=fields).status == status
    answer = client.ask("/static/big.bin", headers={"Range": "bytes=3000000-"})
    assert (answer.status, answer.headers["Content-Range"]) == (416, "bytes */3000000")
    assert client.ask("/static/big.bin", headers={"If-Match": '"other"'}).status == 412


def test_a_changed_file_is_sent_anew(client, folder: Path) -> None:
    tag = client.ask("/static/a.txt").headers["ETag"]
    (folder / "a.txt").write_text("longer text")
    answer = client.ask("/static/a.txt", headers={"If-None-Match": tag})
    assert (answer.status, answer.text) == (200, "longer text")


def test_folders(client) -> None:
    for path in ("/static", "/static/sub"):
        answer = client.ask(path)
        assert answer.status in (301, 308)
        assert answer.headers["Location"] == path + "/"
    assert client.ask("/static/withindex/").text == "the index"
    answer = client.ask("/static/")
    assert answer.status == 200
    assert "text/html" in answer.headers["Content-Type"]
    assert 'href="./a.txt"' in answer.text
    assert "%C3%BC%20%C3%B6.html" in answer.text
    assert ".hidden" not in answer.text
    answer = client.ask("/static/sub/")
    assert "&lt;b&gt;.txt" in answer.text
    assert "<b>.txt" not in answer.text


def test_a_redirect_stays_on_this_host(client) -> None:
    """//host/ would be another host: no path leads to such a Location."""
    for path in ("//evil.example/..", "/static//evil.example", "//static/sub"):
        answer = client.ask(path)
        assert not answer.headers.get("Location", "/").startswith("//"), path


def test_no_listing_unless_allowed(folder: Path, run: Callable) -> None:
    server = guava.server.Server(port=0)
    server.add_router(guava.router.StaticRouter("/static", directory=folder))
    client = run(server)
    assert client.ask("/static/").status in (403, 404)
    assert client.ask("/static/withindex/").text == "the index"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_files_are_for_reading(client, method: str) -> None:
    answer = client.ask("/static/a.txt", method)
    assert answer.status == 405
    assert {"GET", "HEAD"} <= set(answer.headers["Allow"].split(", "))


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "..%2fsecret.txt",
        "%2e%2e/secret.txt",
        "%2e%2e%2fsecret.txt",
        "%252e%252e%252fsecret.txt",
        "..%5csecret.txt",
        "..\\secret.txt",
        "sub/../../secret.txt",
        "sub/../a.txt",
        "./a.txt",
        "%2e/a.txt",
        "..;/secret.txt",
        "..%00/secret.txt",
        "a.txt%00",
        "a.txt%00.html",
        "%c0%ae%c0%ae/secret.txt",
        "%e0%80%ae%e0%80%ae/secret.txt",
        "%ff",
        "%0d%0aX-Evil:%20yes",
        "a.txt/",
        "a.txt/x",
        ".hidden",
        "%2ehidden",
        "out",
        "outdir/secret.txt",
        "outdir/",
        "pipe",
        "%2fetc/passwd",
        "//etc/passwd",
        "/etc/passwd",
        "x" * 3000,
        "a/" * 1000,
        "sub//deep",
    ],
)
def test_no_way_out(client, path: str) -> None:
    # http.client would refuse some of these, so the request is written by hand.
    with socket.create_connection(("127.0.0.1", client.port), 20) as sock:
        request = f"GET /static/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        sock.sendall(request.encode("latin-1"))
        response = http.client.HTTPResponse(sock)
        response.begin()
        body = response.read()
    assert response.status in (400, 403, 404), (response.status, body)
    assert b"secret" not in body.replace(b"secret.txt", b"")
    assert response.getheader("X-Evil") is None


def test_open_files_do_not_pile_up(client) -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    if before is None:
        pytest.skip("the number of open files is read from /proc, which only Linux has")
    for _ in range(50):
        client.ask("/static/a.txt")
        client.ask("/static/a.txt", "HEAD")
        client.ask("/static/a.txt", headers={"If-None-Match": "*"})
        client.ask("/static/")
        client.ask("/static/nothing")
    # The connections of the last requests may still be closing.
    assert len(os.listdir("/proc/self/fd")) < before + 10


def test_the_way_to_the_slash_keeps_the_query(client) -> None:
    answer = client.ask("/static/sub?page=2&q=%C3%BC")
    assert answer.status == 301
    assert answer.headers["Location"] == "/static/sub/?page=2&q=%C3%BC"
