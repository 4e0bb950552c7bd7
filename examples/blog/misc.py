"""Pages whose addresses follow no convention: a router of our own finds them."""

from typing import Any

from guava.handler import Handler
from guava.router import Router
from page import Page
from store import store


class MiscController(Page):
    def about(self) -> str:
        return self.render("about.html", origin=f"http://{self.req.host}")

    def author(self, name: str) -> str:
        posts = store.posts(viewer=self.user, author=name)
        if not posts:
            return self.missing("Nobody of this name has written here.")
        return self.render("post/list.html", posts=posts, author=name)


class Shortcuts(Router):
    """/about from the table of the router, /@NAME by looking at the request."""

    def route(self, req: Any) -> object:
        if req.path.startswith("/@") and "/" not in req.path[1:]:
            return Handler(
                module="misc",
                controller="MiscController",
                action="author",
                args=(req.path[2:],),
            )
        return super().route(req)
