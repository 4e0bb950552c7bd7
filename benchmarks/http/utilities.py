"""python -m benchmarks.http.utilities: guava-http's types and helpers beside those of others that
do the same, in one run: the best of many short rounds, taken in turns. Times are microseconds, and
ratios are what to look at. werkzeug, Starlette, yarl and multidict take part where they are
installed."""

import importlib
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import guava_http as guava

ROUNDS, SECONDS = 15, 0.004
"""Rounds for each contestant, and about how long one takes."""

ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
COOKIES = "theme=dark; sid=k7Qx4mT9; lang=en-GB; consent=1; tz=Europe%2FZurich"
QUERY = "q=caf%C3%A9+menu&page=2&sort=price&tag=new&tag=hot"
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
OPTIONS = 'form-data; name="file"; filename="a b.txt"'
URL = "https://example.com:8443/a/b/c.html?x=1&y=2#"
FIELDS = [(f"X-Field-{number}", "a value") for number in range(8)] + [("Content-Type", "a/b")]

Calls = dict[str, Callable[[], object]]


def others() -> dict[str, Any]:
    found = {}
    for name in (
        "werkzeug.http",
        "werkzeug.datastructures",
        "werkzeug.utils",
        "yarl",
        "multidict",
    ):
        try:
            found[name] = importlib.import_module(name)
        except ImportError:
            continue
    try:
        found["starlette.datastructures"] = importlib.import_module("starlette.datastructures")
        found["starlette.requests"] = importlib.import_module("starlette.requests")
    except ImportError:
        pass
    return found


def rows(lib: dict[str, Any]) -> Iterator[tuple[str, Calls]]:
    http, data = lib.get("werkzeug.http"), lib.get("werkzeug.datastructures")
    utils, yarl, multidict = lib.get("werkzeug.utils"), lib.get("yarl"), lib.get("multidict")
    star, requests = lib.get("starlette.datastructures"), lib.get("starlette.requests")
    number = itertools.count()  # what others keep of earlier answers is not what is measured

    calls: Calls = {"guava": lambda: guava.Headers(FIELDS)["content-type"]}
    if data:
        calls["werkzeug"] = lambda: data.Headers(FIELDS)["content-type"]
    if star:
        calls["Starlette"] = lambda: star.MutableHeaders(dict(FIELDS))["content-type"]
    if multidict:
        calls["multidict"] = lambda: multidict.CIMultiDict(FIELDS)["content-type"]
    yield "headers: make, and look one up", calls

    calls = {"guava": lambda: guava.Cookie.parse(COOKIES)}
    if http:
        calls["werkzeug"] = lambda: http.parse_cookie(COOKIES)
    if requests:
        calls["Starlette"] = lambda: requests.cookie_parser(COOKIES)
    yield "cookies: read five", calls

    calls = {"guava": lambda: str(guava.Cookie("sid", "k7Qx", max_age=60, httponly=True))}
    if http:
        calls["werkzeug"] = lambda: http.dump_cookie("sid", "k7Qx", max_age=60, httponly=True)
    yield "cookies: write one", calls

    calls = {"guava": lambda: guava.QueryDict.parse(QUERY)["q"]}
    if star:
        calls["Starlette"] = lambda: star.QueryParams(QUERY)["q"]
    if yarl:
        calls["yarl"] = lambda: yarl.URL(f"/?{QUERY}&n={next(number)}").query["q"]
    yield "query: read five", calls

    calls = {"guava": lambda: guava.URL(f"{URL}{next(number)}").host}
    if star:
        calls["Starlette"] = lambda: star.URL(f"{URL}{next(number)}").hostname
    if yarl:
        calls["yarl"] = lambda: yarl.URL(f"{URL}{next(number)}").host
    yield "URL: read, and ask for its host", calls

    base = guava.URL(URL)
    calls = {"guava": lambda: base.join(f"../d?{next(number)}")}
    if yarl:
        yarl_base = yarl.URL(URL)
        calls["yarl"] = lambda: yarl_base.join(yarl.URL(f"../d?{next(number)}"))
    yield "URL: join", calls

    calls = {"guava": lambda: str(base.with_query(a=next(number), b="x y"))}
    if yarl:
        calls["yarl"] = lambda: str(yarl_base.with_query(a=next(number), b="x y"))
    if star:
        star_base = star.URL(URL)
        calls["Starlette"] = lambda: str(star_base.replace_query_params(a=next(number), b="x y"))
    yield "URL: another query", calls

    offers = ["application/json", "text/html"]
    calls = {"guava": lambda: guava.best_match(ACCEPT, offers)}
    if http and data:
        calls["werkzeug"] = lambda: http.parse_accept_header(ACCEPT, data.MIMEAccept).best_match(
            offers
        )
    yield "accept: choose of two", calls

    calls = {"guava": lambda: guava.parse_date(DATE)}
    if http:
        calls["werkzeug"] = lambda: http.parse_date(DATE)
    yield "date: read", calls

    calls = {"guava": lambda: guava.http_date(784111777)}
    if http:
        calls["werkzeug"] = lambda: http.http_date(784111777)
    yield "date: write", calls

    calls = {"guava": lambda: guava.parse_options_header(OPTIONS)}
    if http:
        calls["werkzeug"] = lambda: http.parse_options_header(OPTIONS)
    yield "content-disposition: read", calls

    calls = {"guava": lambda: guava.secure_filename("My cinema (2).mov")}
    if utils:
        calls["werkzeug"] = lambda: utils.secure_filename("My cinema (2).mov")
    yield "file name: make safe", calls


def seconds(call: Callable[[], object], times: int) -> float:
    started = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - started) / times


def best(calls: Calls) -> dict[str, float]:
    """Seconds of each, of its best round; in turns, so that what disturbs disturbs all."""
    times = {name: max(1, int(SECONDS / seconds(call, 20))) for name, call in calls.items()}
    found = dict.fromkeys(calls, float("inf"))
    for _ in range(ROUNDS):
        for name, call in calls.items():
            found[name] = min(found[name], seconds(call, times[name]))
    return found


def main() -> None:
    print("| | guava | others, as a multiple of it |")
    print("|---|---:|---|")
    for title, calls in rows(others()):
        found = best(calls)
        ours = found.pop("guava")
        ratios = ", ".join(f"{name} {taken / ours:.1f}" for name, taken in found.items())
        print(f"| {title} | {ours * 1e6:.2f} µs | {ratios or 'nobody'} |")


if __name__ == "__main__":
    main()
