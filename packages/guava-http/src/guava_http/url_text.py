"""The parts of a URL as text: what may stand in them, and how the rest is written."""

import re
from collections.abc import Iterable, Mapping
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Any

from ._core import QueryDict, quote

# Schemes whose URLs name a host, with the port that need not be written.
PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21}

# RFC 3986, appendix B; nothing in it looks back.
SPLIT = re.compile(
    r"(?:([A-Za-z][A-Za-z0-9+.-]*+):)?(?://([^/?#]*+))?([^?#]*+)(?:\?([^#]*+))?(?:#(.*))?", re.S
)
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_FORBIDDEN_ASCII = re.compile("[\x00-\x20\x7f]")
# Controls, white space, what turns the direction of writing, lone surrogates, noncharacters.
_FORBIDDEN = re.compile(
    "[\x00-\x20\x7f-\xa0\u061c\u1680\u180e\u2000-\u200b\u200e\u200f\u2028-\u202f\u205f-\u206f\u3000"
    "\ud800-\udfff\ufeff\ufff9-\uffff]"
)
_ESCAPES = re.compile(r"(?:%[0-9A-F]{2})+")
_ANY_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_REG_NAME = re.compile(r"[a-z0-9._~!$&'()*+,;=-]+")
_IPV4_LIKE = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?")
_ZEROS = re.compile(r"\b0(?::0)+\b")
_IN_BRACKETS = re.compile(r"\[([^\]]*)\](?::([0-9]*))?")
NOT_A_SCHEME = re.compile(r"[^/]*:")

# What most URLs look like, with nothing in them that has to be looked at twice: a path, or a
# host whose last label begins with a letter and so is no address.
_NAME = r"(?:[a-z0-9_-]++\.)*+[a-z][a-z0-9_-]*+"


def _run(safe: str) -> str:
    chars = rf"[A-Za-z0-9._~{re.escape(safe)}-]*+"
    return rf"{chars}(?:%[0-9A-F]{{2}}{chars})*+"


_PATH, _QUERY = "!$&'()*+,;=:@/", "!$&'()*+,;=:@/?"
PLAIN = re.compile(
    rf"(?:(https?)://({_NAME})(?::([0-9]{{1,4}}))?(?=[/?#]|\Z)|(?=/(?!/)))"
    rf"(/{_run(_PATH)})?(?:\?({_run(_QUERY)}))?(?:#({_run(_QUERY)}))?"
)
_PLAIN_HOST = re.compile(rf"({_NAME})(?::([0-9]{{1,4}}))?")


class Part:
    """What may stand in a part of a URL as it is; the rest is percent-encoded."""

    def __init__(self, safe: str) -> None:
        self.safe = safe
        self.clean = re.compile(_run(safe))

    def read(self, text: str) -> str:
        """Of text that is encoded already, or in part: "%" with two digits stays."""
        if self.clean.fullmatch(text):
            return text
        text = _LONE_PERCENT.sub("%25", text)
        text = _ANY_ESCAPE.sub(lambda escape: escape[0].upper(), text)
        return quote(text, safe=self.safe + "%")

    def encode(self, text: str) -> str:
        """Of text that is decoded: "%" is a character like any other."""
        return quote(text, safe=self.safe)


USER = Part("!$&'()*+,;=")
PATH = Part(_PATH)
QUERY = FRAGMENT = Part(_QUERY)
_PARAM = "!$'()*,:@/?"


def check(text: str, what: str) -> None:
    if not isinstance(text, str):
        raise TypeError(f"{what} must be a str, not {type(text).__name__}")
    found = (_FORBIDDEN_ASCII if text.isascii() else _FORBIDDEN).search(text)
    if found:
        where = f"found {found[0]!r} at {found.start()}"
        raise ValueError(f"{what} has no spaces and no control characters, {where}")


def check_type(text: str, what: str) -> None:
    if not isinstance(text, str):
        raise TypeError(f"{what} must be a str, not {type(text).__name__}")


def read_port(text: str, scheme: str | None) -> int | None:
    """The port that must be written; None for the scheme's own or for none."""
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) < 65536):
        raise ValueError(f"a port is a number from 0 to 65535, found {text!r}")
    port = int(text)
    return None if PORTS.get(scheme or "") == port else port


def read_name(name: str) -> str:
    """A host that is a name or an IPv4 address, as it is looked up: ASCII in lower case."""
    if not name.isascii():
        if len(name) > 253:
            raise ValueError("a host name has at most 253 characters")
        try:
            ascii_name = name.encode("idna").decode("ascii")
        except UnicodeError as error:
            raise ValueError(f"the host name {name!r} has no form in ASCII: {error}") from None
    else:
        ascii_name = name
    ascii_name = ascii_name.lower()
    if not _REG_NAME.fullmatch(ascii_name):
        raise ValueError(f"a host is a name, an IPv4 address or [an IPv6 address], found {name!r}")
    # What looks like an address but is not written like one is read in two ways (0x7f.1).
    if _IPV4_LIKE.fullmatch(ascii_name):
        try:
            return str(IPv4Address(ascii_name))
        except AddressValueError:
            raise ValueError(f"an IPv4 address is such as 127.0.0.1, found {name!r}") from None
    return ascii_name


def read_ipv6(address: str) -> str:
    """In brackets, as RFC 5952 shortens it; str() of ipaddress is not the same in all versions."""
    try:
        packed = IPv6Address(address if "%" not in address else "").packed
    except AddressValueError:
        raise ValueError(f"an IPv6 address is such as [::1], found {f'[{address}]'!r}") from None
    text = ":".join(f"{packed[at] << 8 | packed[at + 1]:x}" for at in range(0, 16, 2))
    zeros = max(_ZEROS.finditer(text), key=lambda run: len(run[0]), default=None)
    if zeros:
        start, end = text[: zeros.start()], text[zeros.end() :]
        text = f"{start.removesuffix(':')}::{end.removeprefix(':')}"
    return f"[{text}]"


def read_host(text: str, scheme: str | None) -> tuple[str, int | None]:
    """Host, in brackets if it is an IPv6 address, and port."""
    plain = _PLAIN_HOST.fullmatch(text)
    if plain:
        return plain[1], read_port(plain[2] or "", scheme)
    if text.startswith("["):
        match = _IN_BRACKETS.fullmatch(text)
        if match is None:
            raise ValueError(f"a host is such as [::1] or [::1]:8000, found {text!r}")
        return read_ipv6(match[1]), read_port(match[2] or "", scheme)
    name, _, port = text.partition(":")
    return read_name(name) if name else "", read_port(port, scheme)


def remove_dot_segments(path: str) -> str:
    """RFC 3986, 5.2.4."""
    out: list[str] = []
    parts = path.split("/")
    for part in parts:
        if part == "..":
            if len(out) > 1 or (out and out[0]):
                out.pop()
        elif part != ".":
            out.append(part)
    if parts[-1] in (".", ".."):
        out.append("")
    if path.startswith("/") and (not out or out[0]):
        out.insert(0, "")
    return "/".join(out)


def _param(value: Any, what: str) -> str:
    if type(value) is str:
        return value
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise TypeError(f"{what} in a query is a str, an int or a float, found {value!r}")
    return str(value)


def pairs_of(query: Any) -> list[tuple[str, str]]:
    if isinstance(query, QueryDict):
        return query.multi_items()
    pairs = []
    if isinstance(query, (dict, Mapping)):
        query = query.items()
    elif not isinstance(query, Iterable):
        raise TypeError(
            f"a query is a str, a mapping or (name, value) pairs, not {type(query).__name__}"
        )
    for name, value in query:
        if type(name) is str and type(value) is str:
            pairs.append((name, value))
        elif isinstance(value, (str, int, bytes, Mapping)) or not isinstance(value, Iterable):
            pairs.append((_param(name, "a name"), _param(value, "a value")))
        else:
            pairs += [(_param(name, "a name"), _param(one, "a value")) for one in value]
    return pairs


def encode_query(query: Any) -> str | None:
    if query is None:
        return None
    if isinstance(query, str):
        check(query, "a query")
        return QUERY.read(query)
    pairs = pairs_of(query)
    text = "&".join([f"{quote(n, safe=_PARAM)}={quote(v, safe=_PARAM)}" for n, v in pairs])
    return text or None


def _shown(char: str) -> str:
    if char <= "\x7f":
        return f"%{ord(char):02X}"
    return char if char.isprintable() and not _FORBIDDEN.match(char) else quote(char, safe="")


def readable(text: str) -> str:
    def decoded(escapes: re.Match[str]) -> str:
        try:
            run = bytes.fromhex(escapes[0].replace("%", "")).decode()
        except UnicodeDecodeError:
            return escapes[0]
        return "".join(map(_shown, run))

    return _ESCAPES.sub(decoded, text)
