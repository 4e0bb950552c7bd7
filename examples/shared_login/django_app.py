"""/django/ of the shared login: a Django project of one file, with Django's own users.

They are made when they first come by: Django keeps what Django needs, the site's accounts are
elsewhere.
"""

import os
import secrets
from pathlib import Path
from typing import Any

import accounts
import django
import login_page
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path

settings.configure(
    SESSION_ENGINE="guava_session.django",
    GUAVA_SESSION_STORE=os.environ["SHARED_LOGIN_REDIS"],
    GUAVA_SESSION_USER_ID="username",  # what the others call the user, too
    SESSION_COOKIE_NAME="guava_sid",  # as the others call it
    SESSION_EXPIRE_AT_BROWSER_CLOSE=True,  # as theirs does
    CSRF_COOKIE_PATH="/django/",
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        f"{__name__}.SharedLogin",
    ],
    AUTHENTICATION_BACKENDS=[f"{__name__}.Accounts"],
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": Path(os.environ["SHARED_LOGIN_FOLDER"]) / "django.sqlite3",
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    # What Django signs need not outlive the process.
    SECRET_KEY=os.environ.get("SHARED_LOGIN_SECRET") or secrets.token_urlsafe(50),
)
django.setup()

from django.contrib import auth  # noqa: E402  # Django must be set up before
from django.contrib.auth.backends import ModelBackend  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.middleware.csrf import get_token  # noqa: E402
from django.views.decorators.http import require_POST  # noqa: E402
from guava_session import django as shared  # noqa: E402


def find_or_make(name: str) -> Any:
    return auth.get_user_model().objects.get_or_create(username=name)[0]


class Accounts(ModelBackend):  # type: ignore[misc]  # Django has no types; nor below
    """Django's users, with the site's passwords."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **more: Any,
    ) -> Any:
        if username is None or password is None or not accounts.check(username, password):
            return None
        return find_or_make(username)


class SharedLogin(shared.SharedLogin):
    """Who signed in elsewhere is somebody here, too."""

    def find_user(self, user_id: str) -> Any:
        return find_or_make(user_id)


def index(request: HttpRequest) -> HttpResponse:
    name = request.user.username if request.user.is_authenticated else None
    page = login_page.show("django", name, get_token(request), "csrfmiddlewaretoken")
    return HttpResponse(page)


@require_POST  # type: ignore[untyped-decorator]
def login(request: HttpRequest) -> HttpResponse:
    name, password = request.POST.get("name"), request.POST.get("password")
    user = auth.authenticate(request, username=name, password=password)
    if user is None:
        return HttpResponse("That name and password do not belong together.", status=403)
    auth.login(request, user)
    return HttpResponseRedirect("/django/", status=303)


@require_POST  # type: ignore[untyped-decorator]
def logout(request: HttpRequest) -> HttpResponse:
    auth.logout(request)
    return HttpResponseRedirect("/django/", status=303)


@require_POST  # type: ignore[untyped-decorator]
def everywhere(request: HttpRequest) -> HttpResponse:
    shared.sign_out_everywhere(request)
    return HttpResponseRedirect("/django/", status=303)


urlpatterns = [path("django/", index)]
urlpatterns += [path(f"django/{view.__name__}", view) for view in (login, logout, everywhere)]

call_command("migrate", verbosity=0)
application = get_wsgi_application()
