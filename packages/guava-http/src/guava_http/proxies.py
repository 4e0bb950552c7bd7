"""TrustedProxies: who a request came from when known proxies stand in front.

Forwarded (RFC 7239) and the X-Forwarded-* fields are text that anybody can send. They are read
only when the connection itself comes from a proxy that is trusted, and from the right, where the
nearest proxy has written: what stands left of the first address that is not trusted may be
anybody's.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import NamedTuple, Protocol, TypeAlias

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PAIR = re.compile(rf'\s*({_TOKEN})=({_TOKEN}|"(?:[^"\\]|\\.)*")\s*(;|,|$)')
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?\Z")
_SCHEMES = frozenset({"http", "https"})
#: Proxies in a row; who has more is not believed at all.
_MOST = 100


class _Headers(Protocol):
    def getlist(self, name: str, /) -> list[str]: ...


class _Request(Protocol):
    @property
    def HEADERS(self) -> _Headers: ...
    @property
    def peer(self) -> tuple[object, ...] | str | None: ...
    @property
    def scheme(self) -> str: ...
    @property
    def host(self) -> str: ...


class Origin(NamedTuple):
    """Where a request came from.

    client: the address, an IPv4 or IPv6 one; "" over a unix socket, and if no proxy tells.
    scheme: "http" or "https". host: what the client asked for, with its port if it named one.
    """

    client: str
    scheme: str
    host: str


class _Hop(NamedTuple):
    address: str
    scheme: str | None
    host: str | None


class TrustedProxies:
    """The proxies whose word is taken for who a client is.

        proxies = TrustedProxies(["10.0.0.0/8", "::1"])
        client, scheme, host = proxies.origin(request)

    Args:
        proxies: addresses and networks ("10.0.0.0/8"); "unix" is whoever comes over a unix socket.

    Raises:
        TypeError: proxies is a single str.
        ValueError: one of them is neither an address nor a network nor "unix".
    """

    def __init__(self, proxies: Iterable[str]) -> None:
        if isinstance(proxies, str):
            raise TypeError(f"trusted proxies are several: [{proxies!r}], not {proxies!r}")
        self._networks: list[_Network] = []
        self._unix = False
        for proxy in proxies:
            if proxy == "unix":
                self._unix = True
                continue
            try:
                self._networks.append(ipaddress.ip_network(proxy))
            except ValueError as error:
                raise ValueError(
                    f"a trusted proxy is an address, a network or 'unix': {error}"
                ) from None

    def origin(self, request: _Request) -> Origin:
        """Who a request came from, by the connection and by what trusted proxies say.

        Forwarded is read if it is there, else X-Forwarded-For, -Proto and -Host. A field that is
        malformed, or has more than 100 elements, is not read at all. The client is the right-most
        address that is no trusted proxy; if all are trusted, the left-most one.
        """
        peer = request.peer
        near = peer[0] if isinstance(peer, tuple) and peer else ""
        client = near if isinstance(near, str) else ""
        origin = Origin(_plain(client), request.scheme, request.host)
        if not (self._trusts(client) if isinstance(peer, tuple) else self._unix):
            return origin
        headers = request.HEADERS
        forwarded = headers.getlist("Forwarded")
        field = ",".join(forwarded)
        hops = _read_forwarded(field) if forwarded else _read_x_forwarded(headers)
        for hop in reversed(hops):
            # What a proxy says of its request: whom it came from, how, and what it was for.
            origin = Origin(
                _plain(hop.address), hop.scheme or origin.scheme, hop.host or origin.host
            )
            if not self._trusts(hop.address):
                break
        return origin

    def _trusts(self, address: str) -> bool:
        found = _parse(address)
        return found is not None and any(
            found.version == network.version and found in network for network in self._networks
        )


def _parse(address: str) -> _Address | None:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _plain(address: str) -> str:
    """An address in its usual form, "" for what is none ("unknown", "_hidden")."""
    found = _parse(address)
    return "" if found is None else str(found)


def _node(text: str) -> str:
    """The address of a node, without its port (RFC 7239, section 6)."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _read_forwarded(field: str) -> list[_Hop]:
    hops: list[_Hop] = []
    parts: dict[str, str] = {}
    at = 0
    while at < len(field):
        pair = _PAIR.match(field, at)
        if pair is None:
            return []
        name, value, end = pair.groups()
        name = name.lower()
        if name in parts:
            return []
        parts[name] = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
        at = pair.end()
        if end != ";":
            hops.append(_hop(parts.get("for", ""), parts.get("proto"), parts.get("host")))
            parts = {}
    return [] if parts or len(hops) > _MOST else hops


def _read_x_forwarded(headers: _Headers) -> list[_Hop]:
    nodes, schemes, hosts = (
        [part.strip(" \t") for part in ",".join(headers.getlist(name)).split(",")]
        for name in ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host")
    )
    if len(nodes) > _MOST:
        return []
    if nodes == [""]:
        nodes = []
    if not all(nodes):
        return []
    # Proxies either add to all three, or set the last two: then they are the nearest one's word.
    hops = []
    for number, node in enumerate(nodes):
        behind = len(nodes) - number  # of the elements from here on
        hops.append(_hop(node, _last(schemes, behind), _last(hosts, behind)))
    if not hops and (schemes != [""] or hosts != [""]):
        return [_hop("", schemes[-1], hosts[-1])]
    return hops


def _last(values: list[str], nth: int) -> str | None:
    return values[-nth] if nth <= len(values) else None


def _hop(node: str, scheme: str | None, host: str | None) -> _Hop:
    scheme = scheme.lower() if scheme else None
    return _Hop(
        _node(node),
        scheme if scheme in _SCHEMES else None,
        host if host and _HOST.match(host) else None,
    )
