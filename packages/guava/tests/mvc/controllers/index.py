import os

import guava


class IndexController(guava.controller.Controller):
    def index(self):
        self.write("Hello, world!")

    def returned(self):
        return "Hello, world!"

    async def coroutine(self):
        return "Hello, world!"

    def mark(self):
        os.getppid()
