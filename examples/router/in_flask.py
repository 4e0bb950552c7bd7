"""A router inside of a Flask application: what lies under /api is the router's, the rest Flask's.

flask --app in_flask run
"""

from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from wsgi_app import application

app = Flask(__name__)


@app.get("/")
def home() -> str:
    return "the home page is Flask's"


app.wsgi_app = DispatcherMiddleware(  # type: ignore[method-assign]
    app.wsgi_app, {"/api": application}
)
