"""The names that a server answers for."""

from __future__ import annotations

from collections.abc import Iterable

from .url_text import read_ipv6, read_name


def host_names(hosts: Iterable[str] | None) -> tuple[bytes, ...] | None:
    """`Server(allowed_hosts=...)` as the native half has it."""
    if hosts is None:
        return None
    if isinstance(hosts, str):
        raise TypeError(f"allowed_hosts are several: [{hosts!r}], not {hosts!r}")
    names = tuple(map(_host_name, hosts))
    if not names:
        raise ValueError("allowed_hosts without a name would let nobody in; None lets all in")
    return names


def _host_name(host: str) -> bytes:
    if not isinstance(host, str):
        raise TypeError(f"a name in allowed_hosts must be a str, not {type(host).__name__}")
    if "*" in host:
        raise ValueError(f"in allowed_hosts all below a name are '.example.com', found {host!r}")
    try:
        if host.startswith("[") and host.endswith("]"):
            name = read_ipv6(host[1:-1])
        else:
            name = host[:1] * host.startswith(".") + read_name(host.removeprefix("."))
    except ValueError as error:
        raise ValueError(f"in allowed_hosts, which have no ports: {error}") from None
    return name.removesuffix(".").encode("ascii")
