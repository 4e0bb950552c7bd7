"""Looks up and matches, a few times and many times, for test_instructions.py to count.

Each row is done FEW times, FEW times again and MANY times, with getppid(2) before and after each:
there callgrind writes what it has counted. The first time warms up.
"""

import os

from guava_router import Router

FEW, MANY, ROUTES = 100, 500, 1000


async def target():
    pass


def main():
    router, table = Router(), {}
    for number in range(ROUTES):
        router.register(f"/static/{number}/page", target, methods=["GET"])
        router.register(f"/one/{number}/{{name}}", target, methods=["GET"])
        table[f"/static/{number}/page"] = target
    static, one = "/static/{}/page", "/one/{}/somebody"
    match, look_up = router.match, table.__getitem__
    assert match("GET", static.format(7)).target is target
    assert match("GET", one.format(7)).params == {"name": "somebody"}

    def ask(paths):
        for path in paths:
            match("GET", path)

    def look(paths):
        for path in paths:
            look_up(path)

    # Each path is a str of its own, as in requests: its hash is not known yet.
    for row, form in (look, static), (ask, static), (ask, one):
        for times in FEW, FEW, MANY:
            paths = [form.format(number * 7 % ROUTES) for number in range(times)]
            os.getppid()
            row(paths)
            os.getppid()


if __name__ == "__main__":
    main()
