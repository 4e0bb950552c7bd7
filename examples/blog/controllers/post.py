import json
from collections.abc import Iterator

from guava.response import Response
from page import Page
from store import BODY_LIMIT, TITLE_LIMIT, Post, Refused, store

GONE = "There is no such post. Perhaps there was one."


class PostController(Page):
    def index(self) -> str:
        return self.render("post/list.html", posts=store.posts(viewer=self.user), author=None)

    def list(self) -> Response:
        return self.redirect("/post", 301)

    def view(self, number: str) -> str:
        post = store.post(number)
        if post is None or (post.draft and post.author != self.user):
            return self.missing(GONE)
        return self.render("post/view.html", post=post)

    def new(self) -> str | Response | None:
        user = self.needs_user()
        if user is None:
            return None
        if self.req.method != "POST":
            return self._form()
        try:
            number = store.add_post(*self._typed(), author=user, draft="draft" in self.POST)
        except Refused as problem:
            return self._form(problem=problem)
        self.SESSION.flash("Your post is here.")
        return self.redirect(self.url_for("post.view", number=number), 303)

    def edit(self, number: str) -> str | Response | None:
        post = self._own(number)
        if post is None:
            return None if self.user is None else self.missing(GONE)
        if self.req.method != "POST":
            return self._form(post)
        try:
            store.change_post(post.id, *self._typed(), draft="draft" in self.POST)
        except Refused as problem:
            return self._form(post, problem)
        self.SESSION.flash("Saved.")
        return self.redirect(self.url_for("post.view", number=post.id), 303)

    def delete(self, number: str) -> str | Response | None:
        post = self._own(number)
        if post is None:
            return None if self.user is None else self.missing(GONE)
        if self.req.method != "POST":
            return self.redirect(self.url_for("post.view", number=post.id), 303)
        store.delete_post(post.id)
        self.SESSION.flash(f"“{post.title}” is deleted.")
        return self.redirect("/post", 303)

    def export(self) -> Iterator[str]:
        """All posts as lines of JSON. What an iterator gives goes out piece by piece."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        return (
            json.dumps({"title": post.title, "author": post.author, "body": post.body}) + "\n"
            for post in store.posts()
        )

    # A name with an underscore has no address.

    def _own(self, number: str) -> Post | None:
        """The post with this number, if it belongs to who is signed in."""
        user = self.needs_user()
        post = store.post(number) if user else None
        return post if post and post.author == user else None

    def _typed(self) -> tuple[str, str]:
        return self.POST.get("title", ""), self.POST.get("body", "")

    def _form(self, post: Post | None = None, problem: Refused | None = None) -> str:
        if problem is not None:
            self.set_status_code(422)
        if self.req.method == "POST":
            (title, body), draft = self._typed(), "draft" in self.POST
        else:
            title, body, draft = (post.title, post.body, post.draft) if post else ("", "", False)
        return self.render(
            "post/form.html",
            post=post,
            title=title,
            body=body,
            draft=draft,
            problem=problem,
            title_limit=TITLE_LIMIT,
            body_limit=BODY_LIMIT,
        )
