"""The redirect from a directory of files to its slash keeps the query, over every face."""

import asyncio
from wsgiref.util import setup_testing_defaults

import pytest
from guava_router import Mounts, Router, SlashRedirect, StaticRouter


@pytest.fixture(params=["alone", "mounted"])
def router(request, tmp_path):
    (tmp_path / "docs").mkdir()
    static = StaticRouter("/static", tmp_path)
    return static if request.param == "alone" else Mounts(Router({}), static)


QUERIES = [
    ("", "/static/docs/"),
    ("q=1", "/static/docs/?q=1"),
    ("q=a%20b&q=%C3%BC/?x", "/static/docs/?q=a%20b&q=%C3%BC/?x"),
    ("a b\r\nX: y", "/static/docs/?a%20b%0D%0AX:%20y"),
    ("ü", "/static/docs/?%C3%BC"),
]


def wsgi(router, query):
    environ = {"PATH_INFO": "/static/docs", "QUERY_STRING": query.encode().decode("latin-1")}
    setup_testing_defaults(environ)
    started = []
    list(router.as_wsgi()(environ, lambda *given: started.extend(given)))
    return started[0][:3], dict(started[1])["Location"]


def asgi(router, query):
    sent = []
    raw = query.encode()
    scope = {"type": "http", "method": "GET", "path": "/static/docs", "headers": []}
    scope["query_string"] = raw

    async def send(message):
        sent.append(message)

    asyncio.run(router.as_asgi()(scope, None, send))
    headers = {name.lower(): value for name, value in sent[0]["headers"]}
    return str(sent[0]["status"]), headers[b"location"].decode()


@pytest.mark.parametrize(("query", "location"), QUERIES)
@pytest.mark.parametrize("face", [wsgi, asgi])
def test_the_query_goes_along(router, face, query, location):
    assert face(router, query) == ("301", location)


def test_it_is_added_by_whoever_sends_it(tmp_path):
    (tmp_path / "docs").mkdir()
    answer = StaticRouter("/static", tmp_path).decide("GET", "/static/docs")
    assert isinstance(answer, SlashRedirect)
    assert answer.with_query("") is answer
    assert answer.with_query("a=1").location == "/static/docs/?a=1"
