import guava


class FormController(guava.controller.Controller):
    def index(self):
        return self.POST["name"]
