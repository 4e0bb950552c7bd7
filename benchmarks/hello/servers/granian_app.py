"""Granian, RSGI: its own interface and the fastest of the three that it speaks."""

HEADERS = [("content-type", "text/html; charset=utf-8")]


async def app(scope, protocol):
    protocol.response_str(200, HEADERS, "Hello, world!")
