"""Which paths a client may ask a directory for, before the file system is asked."""

from __future__ import annotations

import re
from collections.abc import Callable

LONGEST_PATH = 4096
LONGEST_NAME = 255

# Refused in any path: control characters, backslashes (separators to some), empty segments, dot
# segments.
_ALWAYS = r"[\x00-\x1f\x7f-\x9f\\]|//|/\.{1,2}(?:/|\Z)"
# All that starts with a dot, except the directory that RFC 8615 puts files in.
_DOTFILES = r"/\.(?!well-known(?:/|\Z))"
# What Windows takes for a device in any directory, whatever stands behind a dot or a colon: a
# share or a mounted disk of such a system does it, too.
_DEVICES = (
    r"/(?i:con|prn|aux|nul|(?:com|lpt)[0-9\xb2\xb3\xb9]|conin\$|conout\$) *(?:[.:][^/]*)?(?:/|\Z)"
)


def policy(allow_dotfiles: bool, allow_device_names: bool) -> Callable[[str], bool]:
    """A function that says whether a path, which starts with a slash, may be asked for.

    It may have up to LONGEST_PATH characters, and up to LONGEST_NAME bytes in a segment.
    """
    refused = [_ALWAYS]
    if not allow_dotfiles:
        refused.append(_DOTFILES)
    if not allow_device_names:
        refused.append(_DEVICES)
    bad = re.compile("|".join(refused)).search

    def may_ask(path: str) -> bool:
        if len(path) > LONGEST_PATH or path[:1] != "/" or bad(path) is not None:
            return False
        if len(path) <= LONGEST_NAME and path.isascii():
            return True
        try:
            return all(len(name.encode()) <= LONGEST_NAME for name in path.split("/"))
        except UnicodeEncodeError:
            return False

    return may_ask
