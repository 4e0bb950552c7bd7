"""socketify, its own interface."""

import sys

from socketify import App


def hello(response, request):
    response.write_header("Content-Type", "text/html; charset=utf-8")
    response.end("Hello, world!")


app = App()
app.get("/", hello)
app.listen(int(sys.argv[1]))
app.run()
