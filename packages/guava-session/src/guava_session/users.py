"""Whose a session is, and how all sessions of one user end at once.

A store has one record for each user who is signed in somewhere, under an id made from the user's:
it holds the user's epoch, a random word. A session that is bound to a user keeps the epoch of that
moment, and is valid as long as it is the user's still. So signing out everywhere is one write,
holds in every process at once, and reaches sessions that nobody has a list of. When the record is
missing (the store was emptied, or dropped it for room), the sessions are invalid as well: who is
in doubt signs in again.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from functools import partial

from .steps import Steps
from .store import RESERVED, SessionStore

_TEXT = b"guava-session user 1\0"
_EPOCH = "users_epoch"


def user_key(user_id: str | int) -> str:
    """The id of a user's record: it has the shape of a session's, and is no secret.

    :raises TypeError: for what is neither str nor int; 7 and "7" are one user
    """
    if not isinstance(user_id, (str, int)) or isinstance(user_id, bool):
        raise TypeError(f"a user's id is a str or an int, not {type(user_id).__name__}")
    digest = hashlib.sha256(_TEXT + str(user_id).encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def find_epoch(store: SessionStore, user_id: str | int) -> Steps[str | None]:
    """The user's epoch; None when nobody has signed in, or the store has forgotten it."""
    record = yield store, partial(store.get, user_key(user_id))
    own = record.get(RESERVED) if record else None
    epoch = own.get(_EPOCH) if isinstance(own, dict) else None
    return epoch if isinstance(epoch, str) else None


def begin_epoch(store: SessionStore, user_id: str | int) -> Steps[str]:
    """A new epoch for the user: all sessions of the one before end."""
    epoch = secrets.token_urlsafe(12)
    yield store, partial(store.set, user_key(user_id), {RESERVED: {_EPOCH: epoch}})
    return epoch


def end_all(store: SessionStore, user_id: str | int) -> Steps[None]:
    """End all sessions of a user that a store has.

    :raises RuntimeError: for a store of cookies that has nothing to remember users by
    """
    if store.users is None:
        raise RuntimeError(
            "sessions in cookies cannot be ended from here; give the CookieStore a store that "
            "remembers users, users="
        )
    yield from begin_epoch(store.users, user_id)


def is_user_record(own: object) -> bool:
    """Whether a record's own part is that of a user, and its id therefore no session's."""
    return isinstance(own, dict) and _EPOCH in own
