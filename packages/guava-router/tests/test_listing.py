"""Listing: the page of a directory, read back with a parser of HTML."""

import os
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from guava_router import Listing, StaticHandler, StaticRouter
from guava_router.listing import size_text


class Page(HTMLParser):
    """The links of a page as (href, text), and all tags that it opens."""

    def __init__(self, answer: Listing) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.tags: set[str] = set()
        self._href: str | None = None
        self.feed(answer.body.decode())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "a":
            assert [name for name, _ in attributes] == ["href"], attributes
            self._href = attributes[0][1] or ""
            self.links.append((self._href, ""))

    def handle_data(self, data: str) -> None:
        if self._href is not None:
            href, text = self.links[-1]
            self.links[-1] = (href, text + data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._href = None


NAMES = [
    "plain.txt",
    "with space.txt",
    "<script>alert(1)<",
    '" onmouseover="x',
    "'single'",
    "&amp;",
    "100%.txt",
    "%41",
    "a?b=c",
    "a#b",
    "a:b",
    "javascript:alert(1)",
    "ä ü.txt",
    "日本.txt",
    "+plus;semi",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / name).write_text(name)
    (tmp_path / "sub").mkdir()
    return tmp_path


def test_every_link_leads_to_its_file(folder: Path) -> None:
    router = StaticRouter("/files", folder, allow_index=True)
    answer = router.resolve("/")
    assert isinstance(answer, Listing)
    page = Page(answer)
    assert {text for _, text in page.links} == {*NAMES, "sub/"}
    for href, text in page.links:
        url = urlsplit(urljoin("http://server/files/", href))
        assert (url.netloc, url.query, url.fragment) == ("server", "", ""), href
        found = router.resolve(unquote(url.path).removeprefix("/files"))
        if text.endswith("/"):
            continue
        assert isinstance(found, StaticHandler), href
        with found.open() as file:
            assert file.read().decode() == text


def test_names_are_escaped(folder: Path) -> None:
    answer = StaticRouter("/", folder, True).resolve("/")
    assert isinstance(answer, Listing)
    assert b"<script>" not in answer.body
    assert not Page(answer).tags & {"script", "img"}
    assert answer.header("Content-Type") == "text/html; charset=utf-8"
    assert answer.header("X-Content-Type-Options") == "nosniff"
    assert "default-src 'none'" in (answer.header("Content-Security-Policy") or "")


def test_the_title_is_escaped(tmp_path: Path) -> None:
    (tmp_path / "<b>x").mkdir()
    answer = StaticRouter("/s", tmp_path, True).resolve("/<b>x/")
    assert isinstance(answer, Listing)
    assert b"Files in /s/&lt;b&gt;x/" in answer.body
    assert "b" not in Page(answer).tags


def test_a_subdirectory_has_a_way_up(folder: Path) -> None:
    router = StaticRouter("/", folder, True)
    assert Page(router.resolve("/sub/")).links == [("../", "../")]  # type: ignore[arg-type]
    assert "../" not in dict(Page(router.resolve("/")).links)  # type: ignore[arg-type]


def test_folders_come_first_and_numbers_count(tmp_path: Path) -> None:
    for name in ("file10", "file2", "File1", "1" * 30, "a"):
        (tmp_path / name).write_text("")
    (tmp_path / "z-folder").mkdir()
    entries = StaticRouter("/", tmp_path, True).resolve("/").entries  # type: ignore[union-attr]
    assert [e.name for e in entries] == ["z-folder", "1" * 30, "a", "File1", "file2", "file10"]


def test_only_what_can_be_asked_for_is_shown(tmp_path: Path) -> None:
    for name in ("ok", ".hidden", "back\\slash", "line\nbreak"):
        (tmp_path / name).write_text("")
    with open(os.fsencode(tmp_path) + b"/\xff\xfe", "w"):
        pass
    (tmp_path / "link").symlink_to("ok")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / ".well-known").mkdir()
    entries = StaticRouter("/", tmp_path, True).resolve("/").entries  # type: ignore[union-attr]
    assert {e.name for e in entries} == {"ok", ".well-known"}


def test_sizes_and_dates(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 1536)
    os.utime(tmp_path / "f", (0, 784_111_777))
    body = StaticRouter("/", tmp_path, True).resolve("/").body.decode()  # type: ignore[union-attr]
    assert "<td>1.5 KiB</td><td>1994-11-06 08:49</td>" in body
    assert [size_text(n) for n in (0, 1023, 1024, 5 * 2**20, 2**62)] == [
        "0 bytes",
        "1023 bytes",
        "1.0 KiB",
        "5.0 MiB",
        "4096.0 PiB",
    ]


def test_an_empty_directory(tmp_path: Path) -> None:
    assert Page(StaticRouter("/", tmp_path, True).resolve("/")).links == []  # type: ignore[arg-type]
