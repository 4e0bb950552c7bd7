"""Conditional requests: entity tags, dates, what they decide (RFC 9110, sections 8.8 and 13)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from .dates import parse_http_date

_ENTITY_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\U0010ffff]*)"')
_BETWEEN = re.compile(r"[\t ,]*")
_BEHIND = re.compile(r"[\t ]*(?:,|\Z)")

Fields = Mapping[str, Sequence[str]]
"""The values of request fields by their names in small letters, one for each line."""


def tags_include(field: str, etag: str, strong: bool = False) -> bool:
    """Whether a list of entity tags has this one, or is "*". What is malformed ends the list.

    strong: no weak tag is the same as another (If-Match; RFC 9110, section 8.8.3.2).
    """
    if field.strip(" \t") == "*":
        return True
    if strong and etag.startswith("W/"):
        return False
    opaque = etag.removeprefix("W/").strip('"')
    at = 0
    while True:
        gap = _BETWEEN.match(field, at)
        at = gap.end() if gap else at
        tag = _ENTITY_TAG.match(field, at)
        if tag is None:
            return False
        if tag[1] == opaque and not (strong and field.startswith("W/", at)):
            return True
        at = tag.end()
        if _BEHIND.match(field, at) is None:
            return False


def is_not_modified(
    etag: str, mtime: float, if_none_match: str | None, if_modified_since: str | None
) -> bool:
    """Whether a GET or HEAD with these fields (None: absent) is answered with 304.

    If-None-Match decides alone if it is there (RFC 9110, section 13.2.2).
    """
    if if_none_match is not None:
        return tags_include(if_none_match, etag)
    if if_modified_since is not None:
        since = parse_http_date(if_modified_since)
        return since is not None and int(mtime) <= since
    return False


def _date(fields: Fields, name: str) -> int | None:
    """A date counts if it stands there once."""
    lines = fields.get(name, ())
    return parse_http_date(lines[0]) if len(lines) == 1 else None


def precondition(fields: Fields, etag: str, modified: int) -> Literal[200, 304, 412]:
    """What the conditions of a GET or HEAD say, in the order of RFC 9110, section 13.2.2.

    modified: seconds since 1970. 200: carry on. A list of tags is as good in two lines as in one.
    """
    matches = fields.get("if-match")
    if matches is not None:
        if not any(tags_include(line, etag, strong=True) for line in matches):
            return 412
    else:
        unmodified = _date(fields, "if-unmodified-since")
        if unmodified is not None and modified > unmodified:
            return 412
    none_matches = fields.get("if-none-match")
    if none_matches is not None:
        return 304 if any(tags_include(line, etag) for line in none_matches) else 200
    since = _date(fields, "if-modified-since")
    return 304 if since is not None and modified <= since else 200


def range_counts(fields: Fields, etag: str, modified: int, now: float) -> bool:
    """Whether If-Range lets a Range field count (RFC 9110, section 13.1.5)."""
    lines = fields.get("if-range")
    if lines is None:
        return True
    if len(lines) > 1:
        return False
    field = lines[0]
    if _ENTITY_TAG.fullmatch(field):
        return field == etag and not etag.startswith("W/")
    # A date says "the same bytes" only if it lies in the past: within its second the file may
    # have changed twice (RFC 9110, section 8.8.2.2).
    return parse_http_date(field) == modified and int(now) > modified
