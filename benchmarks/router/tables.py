"""What is measured: tables of routes, and the requests that are looked for in them.

The tables of 10 to 100 000 routes are made up, and look as those of an API: 32 resources in a
section, and of each resource a static route, one with a parameter beside it, and a deep one:

    /kolabi/ranude/search
    /kolabi/ranude/{a}
    /kolabi/ranude/{a}/notes/{b}/files/{c}/{d}

A parameter has one name in one place, since some routers want that. The last table is GitHub's
REST API, where parameters are named after their place for the same reason.
"""

import random
import re
from dataclasses import dataclass
from pathlib import Path

SIZES = (10, 100, 1_000, 10_000, 100_000)
GITHUB = Path(__file__).parent.parent.parent / "packages/guava-router/tests/data/github.txt"
ASKED = 2048
"""Requests of each kind: others keep up to 1024 answers, and are to be asked for more."""

KINDS = {
    "static": "static path, three segments",
    "one": "one parameter",
    "deep": "deep: eight segments, four parameters",
    "miss": "a path that nobody has",
    "github": "GitHub's REST API, all routes in turn",
}

Request = tuple[str, str, int | None, dict[str, str]]
"""Method, path; which route it is and the values of its parameters, or None: not found."""


@dataclass(frozen=True)
class Table:
    key: str
    routes: list[tuple[str, str]]
    requests: dict[str, list[Request]]
    """By kind."""


SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstv" for vowel in "aeiou"]
WORDS = len(SYLLABLES) ** 3
VERBS = ("search", "export", "summary", "archive", "recent", "count", "trash", "report")
CHILDREN = ("items", "members", "notes", "files", "events", "labels", "reviews", "keys")


def word(number: int) -> str:
    """The same for the same number, and another one for each below 65^3."""
    mixed = (number * 104_729 + 12_345) % WORDS
    parts = []
    for _ in range(3):
        mixed, which = divmod(mixed, len(SYLLABLES))
        parts.append(SYLLABLES[which])
    return "".join(parts)


def made_up(size: int) -> Table:
    routes = []
    for number in range(size):
        resource, kind = divmod(number, 3)
        base = f"/{word(resource // 32)}/{word(WORDS // 2 + resource)}"
        one, other = CHILDREN[resource % 8], CHILDREN[(resource // 8 + 3) % 8]
        routes.append(
            (
                f"{base}/{VERBS[resource % 8]}",
                f"{base}/{{a}}",
                f"{base}/{{a}}/{one}/{{b}}/{other}/{{c}}/{{d}}",
            )[kind]
        )
    chance = random.Random(size)
    requests: dict[str, list[Request]] = {}
    for kind, name in enumerate(("static", "one", "deep")):
        of_kind = range(kind, size, 3)
        # Each as often as any other, in no order.
        chosen = [of_kind[(n * len(of_kind)) // ASKED % len(of_kind)] for n in range(ASKED)]
        chance.shuffle(chosen)
        requests[name] = [asked("GET", routes[number], number, chance) for number in chosen]
    requests["miss"] = [missed(routes, chance) for _ in range(ASKED)]
    return Table(str(size), [("GET", route) for route in routes], requests)


def asked(method: str, route: str, number: int, chance: random.Random) -> Request:
    path, values = filled(route, chance)
    return method, path, number, values


def filled(route: str, chance: random.Random) -> tuple[str, dict[str, str]]:
    """A path of a route, and the values in it."""
    values = {name: f"v{chance.randrange(10**6)}" for name in re.findall(r"{(\w+)}", route)}
    return route.format_map(values), values


def missed(routes: list[str], chance: random.Random) -> Request:
    """Every second one begins as no route does, the others end so."""
    route = chance.choice(routes)
    if chance.random() < 0.5:
        _, _, rest = route[1:].partition("/")
        return "GET", f"/nobody{chance.randrange(10**6)}/{filled(rest, chance)[0]}", None, {}
    section, resource = route[1:].split("/")[:2]
    return "GET", f"/{section}/{resource}/v{chance.randrange(10**6)}/nothing", None, {}


def github() -> Table:
    lines = [line.split() for line in GITHUB.read_text().splitlines() if not line.startswith("#")]
    routes = [(method, placed(path)) for method, path in lines]
    chance = random.Random(0)
    chosen = list(range(len(routes))) * 2
    chance.shuffle(chosen)
    requests = [asked(*routes[number], number, chance) for number in chosen]
    return Table("github", routes, {"github": requests})


def placed(path: str) -> str:
    """A pattern whose parameters are named after their place."""
    return "/".join(
        re.sub(r"{.*}", f"{{p{place}}}", segment) for place, segment in enumerate(path.split("/"))
    )


def table(key: str) -> Table:
    return github() if key == "github" else made_up(int(key))
