"""The files of a folder under /static of a FastAPI application, sent by guava-router.

uvicorn files_in_fastapi:app
"""

from pathlib import Path

from fastapi import FastAPI
from guava_router import StaticRouter

# FastAPI says where it is mounted, so the router itself lies at "/".
files = StaticRouter("/", Path(__file__).parent / "files", precompressed=True)

app = FastAPI()
app.mount("/static", files.as_asgi())


@app.get("/")
async def home() -> str:
    return "the home page is FastAPI's"
