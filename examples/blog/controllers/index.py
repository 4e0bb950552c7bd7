from page import Page
from store import store


class IndexController(Page):
    def index(self) -> str:
        posts = store.posts(viewer=self.user)
        return self.render("index.html", posts=posts[:3], total=len(posts))
