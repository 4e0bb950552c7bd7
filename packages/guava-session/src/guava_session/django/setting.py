"""What ``settings.GUAVA_SESSION_STORE`` names."""

from __future__ import annotations

import threading
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from ..manager import SessionManager
from ..store import SessionStore

_NAME = "GUAVA_SESSION_STORE"

#: What was found last, and for which settings: tests override them.
_found: tuple[tuple[Any, ...], SessionManager] | None = None
#: Two stores in memory for two first requests would each have half of the sessions.
_making = threading.Lock()


def find_manager() -> SessionManager:
    """The manager of Django's sessions; the same each time, until the settings change.

    :raises django.core.exceptions.ImproperlyConfigured: ``GUAVA_SESSION_STORE`` is missing or
        names nothing that keeps sessions
    """
    global _found
    value = getattr(settings, _NAME, None)
    key = (value, settings.SESSION_COOKIE_AGE)
    found = _found
    if found is None or found[0] != key:
        with _making:
            found = _found
            if found is None or found[0] != key:
                found = _found = key, _make(value)
    return found[1]


def _make(value: Any) -> SessionManager:
    if value is None:
        raise ImproperlyConfigured(
            f'{_NAME} is missing. Name the place where sessions live: "redis://127.0.0.1:6379/0", '
            '"file:///var/lib/shop/sessions", or the dotted path of a store'
        )
    if isinstance(value, str):
        value = _open(value) if "://" in value else _import(value)
    if isinstance(value, SessionStore):
        value = SessionManager(value)
    if not isinstance(value, SessionManager):
        raise ImproperlyConfigured(
            f"{_NAME} is to be a SessionStore, a SessionManager, a URL, or the dotted path of one "
            f"of these or of what makes one, not {type(value).__name__}"
        )
    _check(value)
    return value


def _check(manager: SessionManager) -> None:
    store = manager.store
    if store.lifetime < settings.SESSION_COOKIE_AGE:
        raise ImproperlyConfigured(
            f"SESSION_COOKIE_AGE is {settings.SESSION_COOKIE_AGE} seconds, but the store in "
            f"{_NAME} forgets a session after {store.lifetime:.0f}: give it lifetime="
        )
    if store.asynchronous:
        raise ImproperlyConfigured(
            f"the store in {_NAME} is async def, and Django's session middleware is not: give it "
            "a store of plain methods"
        )
    if manager.locks:
        raise ImproperlyConfigured(
            f"the manager in {_NAME} locks sessions, and Django does not say when a request is "
            "done with one: leave out lock=True"
        )


def _import(path: str) -> Any:
    try:
        found = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(f"{_NAME} = {path!r}: {error}") from error
    if callable(found) and not isinstance(found, (SessionStore, SessionManager)):
        found = found()
    return found


def _open(url: str) -> SessionStore:
    scheme, _, place = url.partition("://")
    lifetime = settings.SESSION_COOKIE_AGE
    try:
        if scheme in ("redis", "rediss", "unix"):
            from ..redis import RedisStore

            return RedisStore(url, lifetime=lifetime)
        if scheme == "file" and place.startswith("/"):
            from ..file import FileStore

            return FileStore(directory=place, lifetime=lifetime)
        if scheme == "sqlite" and place.startswith("/"):
            from ..sqlite import SQLiteStore

            return SQLiteStore(place, lifetime=lifetime)
        if scheme == "memcached":
            from ..memcached import MemcachedStore

            return MemcachedStore(place, lifetime=lifetime)
        if scheme.partition("+")[0] in ("postgresql", "mysql", "mariadb"):
            from ..sql import SQLAlchemyStore

            return SQLAlchemyStore(url, lifetime=lifetime)
        if scheme == "memory" and not place:
            from ..memory import MemoryStore

            return MemoryStore(lifetime=lifetime)
    except (ImportError, OSError, ValueError) as error:
        raise ImproperlyConfigured(f"{_NAME} opens no store: {error}") from error
    # Not the URL itself: it may hold a password, and this ends in logs.
    raise ImproperlyConfigured(
        f"{_NAME} begins with {scheme + '://'!r}; known are redis://host:6379/0, rediss://, "
        "unix:///socket (of Redis), memcached://host:11211, postgresql+psycopg://user@host/name "
        "and other databases of SQLAlchemy's, file:///folder, sqlite:///file and memory://. For "
        "others give a store, or its dotted path"
    )
