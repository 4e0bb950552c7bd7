"""Where a redirect may lead: a look at addresses that clients have a say in."""

from collections.abc import Iterable
from urllib.parse import urlsplit

__all__ = ["is_safe_redirect"]


def is_safe_redirect(location: str, hosts: Iterable[str] = ()) -> bool:
    r"""Whether a location that came from a client stays on this site, as browsers read it.

    Safe are paths ("/a?b", "a", "?b", "#c") and http and https addresses of the hosts that are
    named. Browsers read "\" as "/", so "/\evil.example" leads away as "//evil.example" does, and
    ignore blanks and control characters at both ends, tabs and line breaks anywhere (WHATWG URL);
    what needs such reading is never safe.

    Args:
        location: str, what would be sent as Location.
        hosts: names ("example.com", "example.com:8443") that absolute addresses may lead to.

    >>> is_safe_redirect("/account?tab=2")
    True
    >>> is_safe_redirect("//evil.example/"), is_safe_redirect("javascript:alert(1)")
    (False, False)
    """
    if not location or "\\" in location or location != location.strip():
        return False
    if any(ord(c) <= 0x20 or 0x7F <= ord(c) <= 0xA0 for c in location):
        return False
    try:
        parts = urlsplit(location)
        _ = parts.port  # ValueError: out of range
    except ValueError:
        return False
    if not parts.scheme and not parts.netloc:
        # "///host" has an empty authority here; browsers skip the slashes.
        return not location.startswith("//")
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or not parts.hostname:
        return False
    return parts.netloc.lower() in {host.lower() for host in hosts}
