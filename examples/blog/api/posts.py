"""/api/posts: reading is free, writing needs a name and a password (HTTP Basic, RFC 7617)."""

import asyncio
import base64
import binascii
from typing import Any

from guava.controller import Controller
from guava.response import HTTPError
from store import Post, Refused, store

CHALLENGE = {"WWW-Authenticate": 'Basic realm="The Guava Blog", charset="UTF-8"'}


class PostsController(Controller):
    def get_all(self) -> list[dict[str, Any]]:
        return [self._shown(post) for post in store.posts()]

    def get_one(self, number: str) -> dict[str, Any]:
        return self._shown(self._found(number))

    async def create_one(self) -> dict[str, Any]:
        author = await self._author()
        title, body, draft = self._typed()
        try:
            number = store.add_post(title, body, author, draft)
        except Refused as problem:
            raise HTTPError(422, str(problem)) from None
        self.set_status_code(201)
        self.set_header("Location", self.url_for("posts.get_one", number=number))
        return self._shown(self._found(str(number), author))

    async def update_one(self, number: str) -> dict[str, Any]:
        author = await self._author()
        post = self._own(number, author)
        title, body, draft = self._typed(post)
        try:
            store.change_post(post.id, title, body, draft)
        except Refused as problem:
            raise HTTPError(422, str(problem)) from None
        return self._shown(self._found(number, author))

    async def delete_one(self, number: str) -> None:
        store.delete_post(self._own(number, await self._author()).id)
        self.set_status_code(204)

    # ---- the rest has no address: the names begin with an underscore ---------------------------

    @staticmethod
    def _shown(post: Post) -> dict[str, Any]:
        return {
            "id": post.id,
            "title": post.title,
            "body": post.body,
            "author": post.author,
            "draft": post.draft,
            "created": post.created.isoformat(),
            "changed": post.changed.isoformat(),
        }

    @staticmethod
    def _found(number: str, viewer: str | None = None) -> Post:
        post = store.post(number)
        if post is None or (post.draft and post.author != viewer):
            raise HTTPError(404, "There is no such post.")
        return post

    def _own(self, number: str, author: str) -> Post:
        post = self._found(number, author)
        if post.author != author:
            raise HTTPError(403, f"This post belongs to {post.author}.")
        return post

    def _typed(self, old: Post | None = None) -> tuple[str, str, bool]:
        """The fields of the JSON body; what an update leaves out stays as it is."""
        # A form of another site cannot send this type: without the check a signed-in browser could
        # be made to write here.
        if self.HEADERS.get("Content-Type", "").partition(";")[0].strip() != "application/json":
            raise HTTPError(415, "Send JSON, with Content-Type: application/json.")
        try:
            data = self.req.json()
        except ValueError:
            raise HTTPError(400, "The body is not JSON.") from None
        if not isinstance(data, dict):
            raise HTTPError(400, "Send an object with title and body.")
        title = data.get("title", old.title if old else "")
        body = data.get("body", old.body if old else "")
        draft = data.get("draft", old.draft if old else False)
        if not (isinstance(title, str) and isinstance(body, str) and isinstance(draft, bool)):
            raise HTTPError(400, "title and body are texts, draft is true or false.")
        return title, body, draft

    async def _author(self) -> str:
        scheme, _, encoded = self.HEADERS.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                name, _, password = (
                    base64.b64decode(encoded, validate=True).decode().partition(":")
                )
            except (binascii.Error, UnicodeDecodeError):
                raise HTTPError(400, "The Authorization field is damaged.") from None
            if await asyncio.to_thread(store.check_password, password, store.secret(name)):
                return name
        raise HTTPError(401, "Writing needs a name and a password.", headers=CHALLENGE)
