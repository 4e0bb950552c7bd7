"""guava-http, a `def` handler."""

import sys

import guava_http


def hello(request):
    return "Hello, world!"


guava_http.serve(hello, host="127.0.0.1", port=int(sys.argv[1]))
