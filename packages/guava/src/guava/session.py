"""Sessions and where they are kept; all of it comes from the package guava-session.

store = guava.session.SessionStore(type=guava.session.File, directory="sessions")
guava.router.MVCRouter(mount_point="/", session_store=store)
"""

from typing import TYPE_CHECKING, Any

import guava_session
from guava_session import (
    CookieStore,
    CSRFError,
    File,
    FileStore,
    Flash,
    Keys,
    LayeredStore,
    Mem,
    MemoryStore,
    Session,
    SessionLocked,
    SessionManager,
    SessionStore,
    StoreError,
    generate_id,
)

if TYPE_CHECKING:
    from guava_session import (
        AsyncRedisStore,
        MemcachedStore,
        RedisStore,
        SQLAlchemyStore,
        SQLiteStore,
    )

__all__ = [
    "AsyncRedisStore",
    "CSRFError",
    "CookieStore",
    "File",
    "FileStore",
    "Flash",
    "Keys",
    "LayeredStore",
    "Mem",
    "MemcachedStore",
    "MemoryStore",
    "RedisStore",
    "SQLAlchemyStore",
    "SQLiteStore",
    "Session",
    "SessionLocked",
    "SessionManager",
    "SessionStore",
    "StoreError",
    "generate_id",
]


def __getattr__(name: str) -> Any:
    # They load what not everybody has.
    if name in __all__:
        return getattr(guava_session, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
