"""Flask: run by `flask run` (the built-in server, as in 2014) and by gunicorn. Logs off."""

import logging

from flask import Flask

logging.getLogger("werkzeug").setLevel(logging.ERROR)
app = Flask(__name__)


@app.get("/")
def hello():
    return "Hello, world!"
