"""A router inside of a Starlette application (FastAPI's app.mount() is the same one).

uvicorn in_starlette:app
"""

from asgi_app import application
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route


async def home(request: Request) -> PlainTextResponse:
    return PlainTextResponse("the home page is Starlette's")


app = Starlette(routes=[Route("/", home), Mount("/api", application)])
