"""Tornado, access log off."""

import asyncio
import logging
import sys

import tornado.web


class Hello(tornado.web.RequestHandler):
    def get(self):
        self.write("Hello, world!")


async def main():
    logging.getLogger("tornado.access").setLevel(logging.ERROR)
    app = tornado.web.Application([("/", Hello)])
    app.listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(main())
