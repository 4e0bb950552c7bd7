"""`RequestParser`: HTTP/1.1 requests out of bytes, whatever brings them.

| state | what is awaited | what ends it |
|---|---|---|
| `"head"` | a request line and fields | a `Request` |
| `"body"` | the body, in as many `Data` as it comes in | an `EndOfMessage` |
| `"complete"` | your answer; what comes meanwhile waits | `next_request()`, `take_over()` |
| `"closed"` | nothing: `feed_eof()` came between two requests | |
| `"refused"` | nothing: each call raises the same `RequestError` | |
| `"taken over"` | nothing: the connection speaks another protocol | |

Each message is a `Request`, any number of `Data` and an `EndOfMessage`; then the parser pauses, so
that the requests that a client sends ahead are read one by one.

>>> from guava_http import Data, EndOfMessage, Request, RequestParser
>>> parser = RequestParser()
>>> parser.feed(b"POST /menu HTTP/1.1\\r\\nHost: example.com\\r\\nContent-Le")
[]
>>> parser.feed(b"ngth: 5\\r\\n\\r\\nhel")
[<Request POST '/menu'>, Data(data=b'hel')]
>>> parser.feed(b"loGET / HTTP/1.1\\r\\n")
[Data(data=b'lo'), EndOfMessage(body_size=5, trailers=0)]
>>> parser.state, parser.request.keep_alive, parser.unused
('complete', True, b'GET / HTTP/1.1\\r\\n')
>>> parser.next_request()
[]
>>> try:
...     parser.feed(b"Host: a\\r\\nHost: b\\r\\n\\r\\n")
... except ValueError as error:  # a RequestError
...     print(error.status, error)
400 Exactly one valid Host field is needed.
>>> parser.state
'refused'
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from ._core import Request, RequestParser
from .limits import Limits

__all__ = ["Data", "EndOfMessage", "Event", "Limits", "RequestParser"]


class Data(NamedTuple):
    """A piece of the body, decoded from its transfer coding. Where one piece ends and the next
    begins means nothing.

    Args:
        data: bytes, never empty.
    """

    data: bytes


class EndOfMessage(NamedTuple):
    """The request is complete.

    Args:
        body_size: bytes of the body, decoded.
        trailers: fields that followed a chunked body. They were checked and dropped: merged into
            the head they would let a body rewrite it (RFC 9110, section 6.5.1).
    """

    body_size: int
    trailers: int


Event: TypeAlias = Request | Data | EndOfMessage
"""What `RequestParser.feed()` gives."""
