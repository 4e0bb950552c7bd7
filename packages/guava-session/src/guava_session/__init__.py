"""Sessions for any Python web framework: ids, stores, session objects.

A `SessionStore` keeps a dict per session id: in memory (`type=Mem`), in files (`type=File`), or
wherever a subclass of yours keeps it. A `SessionManager` joins a store to a cookie: it opens a
`Session` from what the browser sent and says, when the request is done, what to answer. It knows
nothing of HTTP libraries: strings go in, strings and plain values come out.
"""

import importlib
from typing import TYPE_CHECKING, Any

from ._core import generate_id, is_id
from .asgi import ASGISessions
from .cookie import SessionCookie, find_cookie
from .csrf import CSRFError
from .file import FileStore
from .flash import Flash
from .keys import BadSignature, Keys
from .layered import LayeredStore
from .life import SessionLocked
from .manager import SessionManager
from .memory import MemoryStore
from .packed import MsgspecSerializer
from .pickled import UnsafePickleSerializer
from .sealed import CookieStore
from .serializer import JSONSerializer, Serializer
from .session import Session
from .store import SessionStore, StoreError, storage_key
from .wsgi import WSGISessions

#: What `SessionStore(type=...)` takes, under the names of Guava's README.
Mem = MemoryStore
File = FileStore

__all__ = [
    "ASGISessions",
    "AsyncRedisStore",
    "BadSignature",
    "CSRFError",
    "CookieStore",
    "File",
    "FileStore",
    "Flash",
    "JSONSerializer",
    "Keys",
    "LayeredStore",
    "Mem",
    "MemcachedStore",
    "MemoryStore",
    "MsgspecSerializer",
    "RedisStore",
    "SQLAlchemyStore",
    "SQLiteStore",
    "Serializer",
    "Session",
    "SessionCookie",
    "SessionLocked",
    "SessionManager",
    "SessionStore",
    "StoreError",
    "UnsafePickleSerializer",
    "WSGISessions",
    "find_cookie",
    "generate_id",
    "is_id",
    "storage_key",
]

__version__ = "1.0.0"

if TYPE_CHECKING:
    from .memcached import MemcachedStore
    from .redis import RedisStore
    from .redis_async import AsyncRedisStore
    from .sql import SQLAlchemyStore
    from .sqlite import SQLiteStore

#: Not every Python has sqlite3, and nobody waits for what is not used.
_LATER = {
    "AsyncRedisStore": ".redis_async",
    "MemcachedStore": ".memcached",
    "RedisStore": ".redis",
    "SQLAlchemyStore": ".sql",
    "SQLiteStore": ".sqlite",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(importlib.import_module(_LATER[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
