"""One login for Django and its neighbours: `Session.user_id` is Django's user.

A login in Django binds the session to the user, whatever the middleware. `SharedLogin` is the
other direction.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import auth
from django.contrib.auth.signals import user_logged_in
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured, ValidationError
from django.middleware.csrf import rotate_token
from django.utils.deprecation import MiddlewareMixin
from django.utils.functional import SimpleLazyObject

from .engine import SessionStore

#: Whom Django's own keys in the session are about. They are private to Django: when somebody else
#: signs in by another framework they stay as they are, and name the wrong one.
_KNOWN = "_auth_shared_id"

_OWN = (auth.SESSION_KEY, auth.BACKEND_SESSION_KEY, auth.HASH_SESSION_KEY, _KNOWN)


class SharedLogin(MiddlewareMixin):  # type: ignore[misc]  # Django has no types
    """Makes `request.user` of `Session.user_id`, so that a login anywhere is one in Django.

    It stands behind AuthenticationMiddleware. Django's login() and logout() are then those of all
    applications that share the store. A user who is unknown to Django, or not active, is nobody
    there; override `find_user` to make one. Django's backends and permissions work as ever, and
    its password hash: a session whose user has got a new password ends.

    :raises django.core.exceptions.ImproperlyConfigured: for other sessions than ours, and for a
        ``GUAVA_SESSION_USER_ID`` that is no unique field of the user model
    """

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        _check_field()

    def process_request(self, request: Any) -> None:
        """Give the request its user, who is looked up when somebody asks."""
        if not isinstance(getattr(request, "session", None), SessionStore):
            raise ImproperlyConfigured(
                'SharedLogin needs SESSION_ENGINE = "guava_session.django", and behind '
                "SessionMiddleware and AuthenticationMiddleware its place in MIDDLEWARE"
            )
        request.user = SimpleLazyObject(partial(self._user, request))
        request.auser = partial(self._auser, request)

    def _user(self, request: Any) -> Any:
        if not hasattr(request, "_shared_user"):
            request._shared_user = self.get_user(request)
        return request._shared_user

    async def _auser(self, request: Any) -> Any:
        return await sync_to_async(self._user)(request)

    def get_user(self, request: Any) -> Any:
        """Who is signed in, an instance of the user model or an AnonymousUser."""
        session = request.session
        user_id = session.user_id
        if user_id is None or session.get(_KNOWN) == str(user_id):
            return auth.get_user(request)
        user = self.find_user(str(user_id))
        found = None if user is None else _find_backend(user)
        if user is None or found is None:
            from django.contrib.auth.models import AnonymousUser  # needs the app to be installed

            for key in _OWN:
                session.pop(key, None)
            return AnonymousUser()
        path, user = found
        # What login() leaves, but for the new id, which the other framework's bind() has made.
        session[auth.SESSION_KEY] = user._meta.pk.value_to_string(user)
        session[auth.BACKEND_SESSION_KEY] = path
        session[auth.HASH_SESSION_KEY] = user.get_session_auth_hash()
        session[_KNOWN] = str(user_id)
        rotate_token(request)
        user.backend = path
        return user

    def find_user(self, user_id: str) -> Any:
        """The user whom the applications call user_id, or None.

        Override it to make users who are known elsewhere at their first visit.
        """
        model = auth.get_user_model()
        try:
            return model._default_manager.get(**{_field(): user_id})
        except (model.DoesNotExist, ValidationError, ValueError, TypeError, OverflowError):
            return None


def sign_out_everywhere(request: Any) -> None:
    """As Django's logout(), for all sessions of the request's user, in all applications."""
    request.session.sign_out_everywhere()
    auth.logout(request)


def _field() -> str:
    field: str = getattr(settings, "GUAVA_SESSION_USER_ID", "pk")
    return field


def _shared_id(user: Any) -> str:
    if _field() == "pk":
        return str(user._meta.pk.value_to_string(user))
    return str(getattr(user, _field()))


def _check_field() -> None:
    if _field() == "pk":
        return
    try:
        unique = auth.get_user_model()._meta.get_field(_field()).unique
    except FieldDoesNotExist as error:
        raise ImproperlyConfigured(f"GUAVA_SESSION_USER_ID: {error}") from error
    if not unique:
        raise ImproperlyConfigured(
            f"GUAVA_SESSION_USER_ID = {_field()!r} is not unique: two users would be one"
        )


def _find_backend(user: Any) -> tuple[str, Any] | None:
    """The first backend that knows the user and lets them in, and the user as it has them."""
    for path in settings.AUTHENTICATION_BACKENDS:
        found = auth.load_backend(path).get_user(user.pk)
        if found is not None:
            return path, found
    return None


def _bind(sender: Any, request: Any, user: Any, **more: Any) -> None:
    session = getattr(request, "session", None)
    if isinstance(session, SessionStore):
        name = _shared_id(user)
        session[_KNOWN] = name
        session.bind(name)


user_logged_in.connect(_bind, dispatch_uid="guava_session.django")
