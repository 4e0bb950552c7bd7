"""Tornado, access log off: PORT APP."""

import asyncio
import logging
import sys

import orjson
import tornado.web

from benchmarks.http.rows import OBJECT


class Hello(tornado.web.RequestHandler):
    def get(self):
        self.write("Hello, world!")


class Json(tornado.web.RequestHandler):
    def get(self):
        self.set_header("Content-Type", "application/json")
        self.write(orjson.dumps(OBJECT))


class Form(tornado.web.RequestHandler):
    def post(self):
        self.write(self.get_body_argument("name"))


class Multipart(tornado.web.RequestHandler):
    def post(self):
        picture = self.request.files["picture"][0]
        self.write(f"{self.get_body_argument('name')} {len(picture.body)}")


class Ten(tornado.web.RequestHandler):
    def get(self):
        self.write(b"x" * 10 * 1024)


APPS = {"hello": Hello, "json": Json, "form": Form, "multipart": Multipart, "body-10k": Ten}


async def main():
    logging.getLogger("tornado.access").setLevel(logging.ERROR)
    app = tornado.web.Application([("/.*", APPS[sys.argv[2]])])
    app.listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(main())
