"""Sessions of ours in Django: ``SESSION_ENGINE = "guava_session.django"``.

The settings are

- ``GUAVA_SESSION_STORE``: where sessions live. A URL (``redis://host:6379/0``, ``rediss://``,
  ``unix:///socket`` of Redis, ``memcached://host:11211``, ``postgresql+psycopg://user@host/name``
  and other databases of SQLAlchemy's, ``file:///folder``, ``sqlite:///file``, ``memory://``; they
  get ``SESSION_COOKIE_AGE`` as their lifetime), a `SessionStore`, a `SessionManager` (its
  time-outs count, its cookie is Django's affair), or the dotted path of one, or of a callable
  that makes one;
- ``GUAVA_SESSION_USER_ID``: the field of the user model that is `Session.user_id`, "pk" by
  default. It must be unique, and mean the same in all applications that share their logins.

``MIDDLEWARE`` may have ``guava_session.django.SharedLogin`` behind Django's
AuthenticationMiddleware: `request.user` is then also who signed in by another framework.

A part of its own, because it needs Django: ``pip install guava-session[django]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

try:
    import django  # noqa: F401
except ImportError as error:
    raise ImportError(
        "guava_session.django needs Django: pip install guava-session[django]"
    ) from error

if TYPE_CHECKING:
    from .engine import SessionStore
    from .login import SharedLogin, sign_out_everywhere
    from .setting import find_manager

__all__ = ["SessionStore", "SharedLogin", "find_manager", "sign_out_everywhere"]


def __getattr__(name: str) -> Any:
    # Not before they are asked for: settings may import this while they are being made. Django's
    # middleware asks when it starts, so that is when a wrong setting is reported.
    if name == "SessionStore":
        from . import login  # from now on, a login binds
        from .engine import SessionStore
        from .setting import find_manager

        find_manager()
        return SessionStore
    if name in ("SharedLogin", "sign_out_everywhere"):
        from . import login

        return getattr(login, name)
    if name == "find_manager":
        from .setting import find_manager

        return find_manager
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
