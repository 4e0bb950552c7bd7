"""A file is answered alike by the router's decision, by Guava that carries it out, and by a
FileResponse, which decides for itself: the packages share no code."""

import itertools
import os
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import guava
import pytest
from guava_http import CONTENT_TYPES, FileResponse
from guava_router import FileDecision, StaticRouter, content_type, http_date

THEN = 1_700_000_000
CONTENT = random.Random(0).randbytes(1000)

# Left open by RFC 9110, and said by a FileResponse only if it is told so.
NOT_COMPARED = ("Date", "Server", "Connection", "Cache-Control", "Keep-Alive")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.js").write_bytes(CONTENT)
    for suffix in ("br", "zst", "gz"):
        (tmp_path / f"app.js.{suffix}").write_bytes(suffix.encode() * 300)
    for file in tmp_path.iterdir():
        os.utime(file, (THEN, THEN))
    os.utime(tmp_path / "app.js.zst", (THEN - 1, THEN - 1))
    return tmp_path


@pytest.fixture
def router(folder: Path) -> StaticRouter:
    return StaticRouter("/static", folder, precompressed=True)


@pytest.fixture
def client(router: StaticRouter, folder: Path, run: Callable) -> Any:
    server = guava.server.Server(port=0)
    server.add_router(router)
    native = guava.router.Router()
    native.register("/native", lambda req: FileResponse(folder / "app.js", precompressed=True))
    server.add_router(native)
    return run(server)


def plain(status: int, headers: Any, body: bytes) -> tuple[int, dict[str, str], bytes]:
    """An answer without what may differ; boundaries are random."""
    fields = {name: value for name, value in headers if name not in NOT_COMPARED}
    found = re.search("boundary=(.*)", fields.get("Content-Type", ""))
    if found is not None:
        fields["Content-Type"] = fields["Content-Type"].replace(found[1], "B")
        body = body.replace(found[1].encode(), b"B" * 24)
    return status, fields, body


def decided(router: StaticRouter, method: str, headers: dict[str, str]) -> Any:
    decision = router.decide(method, "/static/app.js", headers)
    assert isinstance(decision, FileDecision)
    with decision:
        return plain(decision.status, decision.headers, b"".join(decision.chunks()))


TAGS = ("TAG", "W/TAG", '"x"', '"x", TAG', "*", "")
DATES = (http_date(THEN), http_date(THEN - 1), http_date(THEN + 1), "soon")
RANGES = (
    "bytes=0-9",
    "bytes=-1",
    "bytes=1000-",
    "bytes=0-0,500-",
    "bytes=500-,0-0,100-120,90-99",
    "bytes=0-0,85-85,400-401,-1",
    "bytes=0-,0-",
    "bytes=9-1",
    "bytes=" + "0-1," * 17,
    "lines=1-2",
)
ACCEPTED = (
    "gzip",
    "br;q=0.5, gzip",
    "zstd, *;q=0.1",
    "identity, gzip;q=0.5",
    "br;q=0",
    "br, gzip",
)
CHOICES = {
    "If-Match": TAGS,
    "If-None-Match": TAGS,
    "If-Modified-Since": DATES,
    "If-Unmodified-Since": DATES,
    "If-Range": (*TAGS, *DATES),
    "Range": RANGES,
    "Accept-Encoding": ACCEPTED,
}


def cases() -> list[dict[str, str]]:
    """Each field alone, each with a range, and 60 mixtures."""
    found = [{name: value} for name, values in CHOICES.items() for value in values]
    found += [{"If-Range": v, "Range": r} for v, r in itertools.product(TAGS, RANGES[:3])]
    dice = random.Random(1)
    for _ in range(60):
        names = dice.sample(list(CHOICES), dice.randint(2, 4))
        found.append({name: dice.choice(CHOICES[name]) for name in names})
    return found


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_same_answers(client: Any, router: StaticRouter, method: str) -> None:
    tag = client.ask("/native").headers["ETag"]
    seen = set()
    for case in cases():
        headers = {name: value.replace("TAG", tag) for name, value in case.items()}
        headers.setdefault("Accept-Encoding", "identity")
        answers = []
        for path in ("/native", "/static/app.js"):
            answer = client.ask(path, method, headers=headers)
            answers.append(plain(answer.status, answer.headers.items(), answer.body))
        native, carried_out = answers
        mine = decided(router, method, headers)
        assert carried_out == native, headers
        assert mine[0] == native[0], headers
        if mine[0] not in (412, 416):  # the texts of errors are each one's own
            assert mine == native, headers
        seen.add(native[0])
    assert seen == ({200, 206, 304, 412, 416} if method == "GET" else {200, 304, 412})


def test_the_same_content_types() -> None:
    differing = {
        suffix: (content_type("x" + suffix), expected)
        for suffix, expected in CONTENT_TYPES.items()
        if content_type("x" + suffix) != expected
    }
    assert not differing


def test_cache_control_and_variants_go_out(folder: Path, run: Callable) -> None:
    (folder / "app.3f2a9c1b.js").write_bytes(CONTENT)
    server = guava.server.Server(port=0)
    server.add_router(guava.router.StaticRouter("/", folder, precompressed=["gz"]))
    client = run(server)
    year = "public, max-age=31536000, immutable"
    for fields in (
        {},
        {"Range": "bytes=0-0"},
        {"Range": "bytes=0-0,500-"},
        {"If-None-Match": "*"},
    ):
        answer = client.ask("/app.3f2a9c1b.js", headers=fields)
        assert answer.headers.get_all("Cache-Control") == [year], fields
        assert answer.headers.get_all("Vary") == ["Accept-Encoding"], fields
    parts = {"Accept-Encoding": "gzip", "Range": "bytes=0-0,500-"}
    answer = client.ask("/app.js", headers=parts)
    assert (answer.status, answer.headers.get_all("Content-Encoding")) == (206, ["gzip"])
    assert b"Content-Range: bytes 500-599/600" in answer.body
