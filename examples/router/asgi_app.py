"""An ASGI application of a router and plain ASGI functions, for any ASGI server.

uvicorn asgi_app:application
hypercorn asgi_app:application
python -m guava_router asgi_app:router --tree
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from guava_router import RedirectHandler, Router

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BOOKS = {1: "Walden", 2: "Emma"}
events: list[str] = []


async def answer(send: Send, status: int, value: Any) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(value).encode()})


async def books(scope: Message, receive: Receive, send: Send) -> None:
    urls = {title: router.url_for("book", id=number) for number, title in BOOKS.items()}
    await answer(send, 200, urls)


async def book(scope: Message, receive: Receive, send: Send) -> None:
    title = BOOKS.get(scope["path_params"]["id"])  # an int: the pattern says so
    if title is None:
        await answer(send, 404, "no such book")
    else:
        await answer(send, 200, {"title": title})


async def echo(scope: Message, receive: Receive, send: Send) -> None:
    """A websocket: what comes goes back, with the room's name before it."""
    if scope["type"] != "websocket":
        await answer(send, 426, "this is a websocket")
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        text = f"{scope['path_params']['room']}: {message.get('text')}"
        await send({"type": "websocket.send", "text": text})


async def notes(scope: Message, receive: Receive, send: Send) -> None:
    """An application of its own below /notes/, with a lifespan of its own."""
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            events.append(kind)
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return
    where = {"mounted at": scope["root_path"], "path": scope["path"], "events": events}
    await answer(send, 200, where)


router = Router({"/": RedirectHandler("/books")})
router.register("/books", books, methods=["GET"])
router.register("/books/{id:int}", book, methods=["GET"], name="book")
router.register("/rooms/{room}", echo)
router.register("/notes/{rest:path}", notes)

application = router.as_asgi()
