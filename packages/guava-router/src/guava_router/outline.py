"""Outline: the routes of a router as a tree of their segments, to be printed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .router import Route


class _Node:
    __slots__ = ("children", "routes")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.routes: list[Route] = []


def methods_of(route: Route) -> tuple[str, ...]:
    """The methods of a route; () if it takes any."""
    if route.methods is not None:
        return route.methods
    return () if route.method is None else (route.method,)


def route_dict(route: Route) -> dict[str, Any]:
    """A route as what JSON can hold."""
    return {
        "methods": list(methods_of(route)) or None,
        "pattern": route.pattern,
        "name": route.name,
        "host": route.host,
        "target": route.target,
        "where": route.where or None,
    }


class Outline:
    """Routes as a tree; str() of it draws the tree, a line for each route.

    Segments that lead to one place only stand in one line. Static segments come before parameters,
    else the order is the alphabet's.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._hosts: dict[str, _Node] = {}
        for route in routes:
            node = self._hosts.setdefault(route.host or "", _Node())
            for text in route.pattern.removeprefix("/").split("/"):
                node = node.children.setdefault(text, _Node())
            node.routes.append(route)

    def __str__(self) -> str:
        rows: list[tuple[str, str, str, str]] = []
        for host, root in sorted(self._hosts.items()):
            if host:
                rows.append((host, "", "", ""))
            _draw(root, rows)
        widths = [max((len(row[i]) for row in rows), default=0) for i in range(3)]
        lines = ("  ".join([*map(str.ljust, row[:3], widths), row[3]]).rstrip() for row in rows)
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def to_dict(self) -> dict[str, Any]:
        """The tree as what JSON can hold: {"host", "segments"} by host; a segment is {"text",
        "routes", "segments"}."""
        return {
            "hosts": [
                {"host": host or None, "segments": _dicts(root)}
                for host, root in sorted(self._hosts.items())
            ]
        }


def _order(item: tuple[str, _Node]) -> tuple[bool, str]:
    return "{" in item[0], item[0]


def _dicts(node: _Node) -> list[dict[str, Any]]:
    return [
        {
            "text": text,
            "routes": [route_dict(route) for route in child.routes],
            "segments": _dicts(child),
        }
        for text, child in _sorted(node)
    ]


def _sorted(node: _Node) -> list[tuple[str, _Node]]:
    return sorted(node.children.items(), key=_order)


def _draw(root: _Node, rows: list[tuple[str, str, str, str]]) -> None:
    # Not recursive: a path may have more segments than Python has frames.
    stack = [("", _sorted(root)[::-1])]
    while stack:
        indent, items = stack[-1]
        if not items:
            stack.pop()
            continue
        text, node = items.pop()
        while not node.routes and len(node.children) == 1:
            inner, node = next(iter(node.children.items()))
            text = f"{text}/{inner}"
        branch, deeper = ("├── ", "│   ") if items else ("└── ", "    ")
        shown = f"{indent}{branch}/{text}"
        if not node.routes:
            rows.append((shown, "", "", ""))
        for route in node.routes:
            methods = ", ".join(methods_of(route)) or "*"
            rows.append((shown, methods, route.target, route.where))
            shown = indent + deeper
        stack.append((indent + deeper, _sorted(node)[::-1]))
