"""What the blog keeps: people and posts, in one SQLite file."""

import hashlib
import hmac
import os
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

SCHEMA = """
CREATE TABLE people (
    name TEXT PRIMARY KEY,
    salt BLOB NOT NULL,
    password BLOB NOT NULL
) STRICT;
CREATE TABLE posts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    author TEXT NOT NULL REFERENCES people (name),
    draft INTEGER NOT NULL DEFAULT 0,
    created TEXT NOT NULL,
    changed TEXT NOT NULL
) STRICT;
CREATE INDEX posts_by_author ON posts (author);
"""

TITLE_LIMIT = 120
BODY_LIMIT = 20_000


class Refused(Exception):
    """What somebody typed cannot be kept; the text says why, for the person who typed it."""


@dataclass(frozen=True, slots=True)
class Post:
    id: int
    title: str
    body: str
    author: str
    draft: bool
    created: datetime
    changed: datetime


def _post(row: sqlite3.Row) -> Post:
    return Post(
        id=row["id"],
        title=row["title"],
        body=row["body"],
        author=row["author"],
        draft=bool(row["draft"]),
        created=datetime.fromisoformat(row["created"]),
        changed=datetime.fromisoformat(row["changed"]),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _checked(title: str, body: str) -> tuple[str, str]:
    title = " ".join(title.split())
    body = body.replace("\r\n", "\n").strip()
    if not title:
        raise Refused("A post needs a title.")
    if len(title) > TITLE_LIMIT:
        raise Refused(f"A title has at most {TITLE_LIMIT} characters; this one has {len(title)}.")
    if not body:
        raise Refused("A post needs some text.")
    if len(body) > BODY_LIMIT:
        raise Refused(f"A text has at most {BODY_LIMIT} characters; this one has {len(body)}.")
    return title, body


def _stretch(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)


class Store:
    """One connection, used by the thread of the event loop only.

    A query of this size takes some ten microseconds, so it is made right in the action. What takes
    longer belongs into a thread, as `check_password` shows.
    """

    def __init__(self) -> None:
        self._db: sqlite3.Connection | None = None

    def open(self, path: Path) -> None:
        """Opens the file, and makes it with its first posts if there is none yet."""
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA foreign_keys = ON")
        self._db = db
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:
            with db:
                db.executescript(SCHEMA)
                db.execute("PRAGMA user_version = 1")
            self._sow()

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    @property
    def db(self) -> sqlite3.Connection:
        if self._db is None:
            raise RuntimeError("the store is not open: call open(path) first")
        return self._db

    def _sow(self) -> None:
        from seed import PEOPLE, POSTS

        for name, password in PEOPLE:
            self.add_person(name, password)
        for title, body, author in POSTS:
            self.add_post(title, body, author)

    # ---- people ------------------------------------------------------------------------------

    def add_person(self, name: str, password: str) -> None:
        salt = os.urandom(16)
        with self.db as db:
            db.execute(
                "INSERT INTO people VALUES (?, ?, ?)", (name, salt, _stretch(password, salt))
            )

    def secret(self, name: str) -> tuple[bytes, bytes]:
        """Salt and stretched password of a person, or of nobody: an unknown name takes as long."""
        row = self.db.execute(
            "SELECT salt, password FROM people WHERE name = ?", (name,)
        ).fetchone()
        return (row["salt"], row["password"]) if row else (bytes(16), b"")

    @staticmethod
    def check_password(password: str, secret: tuple[bytes, bytes]) -> bool:
        """Slow on purpose (about 50 ms): call it in a thread, as in `asyncio.to_thread`."""
        salt, expected = secret
        return hmac.compare_digest(_stretch(password, salt), expected)

    # ---- posts -------------------------------------------------------------------------------

    def posts(self, viewer: str | None = None, author: str | None = None) -> list[Post]:
        """The newest first; drafts are shown to their author alone."""
        rows = self.db.execute(
            "SELECT * FROM posts WHERE (draft = 0 OR author IS ?1) AND (?2 IS NULL OR author = ?2)"
            " ORDER BY id DESC",
            (viewer, author),
        )
        return [_post(row) for row in rows]

    def post(self, number: str | int) -> Post | None:
        """The post with this number, which may come from a URL: None for what is none."""
        if isinstance(number, str):
            # 18 digits are less than SQLite's largest integer.
            if not (number.isascii() and number.isdecimal() and len(number) <= 18):
                return None
            number = int(number)
        row = self.db.execute("SELECT * FROM posts WHERE id = ?", (number,)).fetchone()
        return _post(row) if row else None

    def add_post(self, title: str, body: str, author: str, draft: bool = False) -> int:
        title, body = _checked(title, body)
        now = _now()
        with self.db as db:
            cursor = db.execute(
                "INSERT INTO posts (title, body, author, draft, created, changed)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (title, body, author, draft, now, now),
            )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def change_post(self, number: int, title: str, body: str, draft: bool) -> None:
        title, body = _checked(title, body)
        with self.db as db:
            db.execute(
                "UPDATE posts SET title = ?, body = ?, draft = ?, changed = ? WHERE id = ?",
                (title, body, draft, _now(), number),
            )

    def delete_post(self, number: int) -> None:
        with self.db as db:
            db.execute("DELETE FROM posts WHERE id = ?", (number,))


store = Store()
