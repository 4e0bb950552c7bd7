"""Conditional requests: entity tags and dates (RFC 9110, sections 8.8 and 13)."""

from __future__ import annotations

import re

from .dates import parse_http_date

_ENTITY_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\U0010ffff]*)"')
_BETWEEN = re.compile(r"[\t ,]*")


def tags_include(field: str, etag: str) -> bool:
    """Whether If-None-Match names this entity tag, by weak comparison (RFC 9110, 13.1.2)."""
    if field.strip(" \t") == "*":
        return True
    opaque = etag.removeprefix("W/").strip('"')
    at = 0
    while True:
        gap = _BETWEEN.match(field, at)
        at = gap.end() if gap else at
        tag = _ENTITY_TAG.match(field, at)
        if tag is None:
            return False
        if tag[1] == opaque:
            return True
        at = tag.end()


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
