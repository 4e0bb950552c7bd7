import guava

from benchmarks.http.rows import OBJECT


class JsonController(guava.controller.Controller):
    def index(self):
        return OBJECT
