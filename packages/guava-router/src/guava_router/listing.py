"""Listing: the page that shows what a directory holds."""

from __future__ import annotations

import html
import os
import re
import stat
import time
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote

from .answers import Answer


class Entry(NamedTuple):
    name: str
    is_directory: bool
    size: int
    mtime: float


_STYLE = """
:root { color-scheme: light dark; --line: #8883; --soft: #8889; --link: #0a6b4f; }
@media (prefers-color-scheme: dark) { :root { --link: #6fd3b0; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 3rem auto; }
body { padding: 0 1.25rem; }
h1 { font-size: 1.35rem; font-weight: 600; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-size: .8rem; font-weight: 500; opacity: .65; }
th, td { padding: .45rem .5rem; border-bottom: 1px solid var(--line); }
th:nth-child(n+2), td:nth-child(n+2) { text-align: right; white-space: nowrap; }
td:nth-child(n+2) { font-variant-numeric: tabular-nums; opacity: .75; }
th:first-child { width: 60%; }
td:first-child { overflow-wrap: anywhere; }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
tr:hover td { background: var(--line); }
@media (max-width: 36rem) { th:nth-child(3), td:nth-child(3) { display: none; } }
""".strip()

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}
</style>
<h1>{title}</h1>
<table>
<thead><tr><th>Name</th><th>Size</th><th>Changed</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</html>
"""
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")


def size_text(size: int) -> str:
    """1536 -> "1.5 KiB"."""
    amount = float(size)
    for unit in _UNITS:
        if amount < 1024 or unit == _UNITS[-1]:
            break
        amount /= 1024
    return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"


def _row(href: str, name: str, size: str, changed: str) -> str:
    return (
        f'<tr><td><a href="{html.escape(href)}">{html.escape(name)}</a></td>'
        f"<td>{size}</td><td>{changed}</td></tr>"
    )


def _entry_row(entry: Entry) -> str:
    slash = "/" if entry.is_directory else ""
    t = time.gmtime(entry.mtime)
    return _row(
        # "./" keeps a name such as "a:b" from being read as a URL scheme (RFC 3986, 4.2).
        "./" + quote(entry.name, safe="") + slash,
        entry.name + slash,
        "" if entry.is_directory else size_text(entry.size),
        f"{t.tm_year:04}-{t.tm_mon:02}-{t.tm_mday:02} {t.tm_hour:02}:{t.tm_min:02}",
    )


class Listing(Answer):
    """A directory as a page: folders first, escaped, with sizes and dates (UTC).

    path: the URL path of the directory, decoded, with the slash at its end.
    """

    __slots__ = ("entries",)

    entries: tuple[Entry, ...]

    def __init__(self, path: str, entries: list[Entry], has_parent: bool) -> None:
        self.entries = tuple(sorted(entries, key=_order))
        rows = [_row("../", "../", "", "")] if has_parent else []
        rows.extend(map(_entry_row, self.entries))
        page = _PAGE.format(
            title=html.escape(f"Files in {path}"), style=_STYLE, rows="\n".join(rows)
        )
        headers = [
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        super().__init__(200, headers, page.encode())


def _order(entry: Entry) -> tuple[bool, list[object], str]:
    """Folders, then files; file2 before file10."""
    parts = re.split(r"(\d+)", entry.name.casefold())
    natural: list[object] = [
        (int(part), part) if i % 2 and len(part) < 19 else (0, part)
        for i, part in enumerate(parts)
    ]
    return not entry.is_directory, natural, entry.name


def read_entries(fd: int, servable: Callable[[str], bool]) -> list[Entry]:
    """What a directory holds and a client may ask for: files and folders, no links or devices."""
    entries = []
    with os.scandir(fd) as found:
        for item in found:
            if not servable(item.name):
                continue
            try:
                status = item.stat(follow_symlinks=False)
            except OSError:
                continue  # gone since the directory was read
            directory = stat.S_ISDIR(status.st_mode)
            if directory or stat.S_ISREG(status.st_mode):
                entries.append(Entry(item.name, directory, status.st_size, status.st_mtime))
    return entries
