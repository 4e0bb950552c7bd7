"""The files of a folder under /static of a Flask application, sent by guava-router.

gunicorn files_in_flask:app
"""

from pathlib import Path

from flask import Flask
from guava_router import StaticRouter

files = StaticRouter("/static", Path(__file__).parent / "files", precompressed=True)

app = Flask(__name__, static_folder=None)


@app.get("/")
def home() -> str:
    return "the home page is Flask's"


# What is no file is Flask's: its 404 pages, too.
app.wsgi_app = files.as_wsgi(otherwise=app.wsgi_app)  # type: ignore[method-assign]
