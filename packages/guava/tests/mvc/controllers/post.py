import guava


class PostController(guava.controller.Controller):
    def view(self, number):
        self.write(number)
