"""What comes in: `Request`, and what an action says of its body.

    @stream_body
    async def upload(self):
        async for part in self.req.parts():
            ...

`stream_body` marks an action that reads its body while it comes in (a plain one then runs on a
thread), `body_limit(n)` one whose body may have up to n bytes. The router in charge is asked for
the action before the body is read, and again when the request is answered.
"""

from guava_http import (
    ClientDisconnected,
    Request,
    RequestError,
    UploadedFile,
    body_limit,
    stream_body,
)

__all__ = [
    "ClientDisconnected",
    "Request",
    "RequestError",
    "UploadedFile",
    "body_limit",
    "stream_body",
]
