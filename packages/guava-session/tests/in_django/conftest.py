"""A Django project for the tests of this folder, and its pages.

Django is configured once for a process, here, and nowhere else in this package's tests.
"""

import json

import pytest
from guava_session import MemoryStore, SessionManager

MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "guava_session.django.SharedLogin",
    "django.contrib.messages.middleware.MessageMiddleware",
]


class Urls:
    """A ROOT_URLCONF need not be a module."""

    urlpatterns = []


# Not "module": a worker of pytest-xdist that steals tests comes back to a module it has left.
@pytest.fixture(scope="session", autouse=True)
def project(tmp_path_factory):
    import django
    from django.conf import settings

    settings.configure(
        SECRET_KEY="for the tests of guava-session",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=Urls,
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": tmp_path_factory.mktemp("django") / "db.sqlite3",
            }
        },
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
        ],
        MIDDLEWARE=MIDDLEWARE,
        MESSAGE_STORAGE="django.contrib.messages.storage.session.SessionStorage",
        # Hashing is not what is tested.
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        SESSION_ENGINE="guava_session.django",
        GUAVA_SESSION_STORE="memory://",
        USE_TZ=True,
        LOGGING_CONFIG=None,
    )
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    make_pages()
    yield
    from django.db import connections

    connections.close_all()


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture(autouse=True)
def used(store):
    from django.test.utils import override_settings

    with override_settings(GUAVA_SESSION_STORE=store):
        yield


@pytest.fixture
def client():
    from django.test import Client

    return Client()


@pytest.fixture
def anna():
    from django.contrib.auth import get_user_model

    user = get_user_model().objects.create_user("anna", password="secret")
    yield user
    user.delete()


def make_pages():
    from django.conf import settings
    from django.contrib import auth, messages
    from django.http import HttpResponse, HttpResponseServerError
    from django.middleware.csrf import get_token
    from django.urls import path
    from guava_session.django import sign_out_everywhere

    def count(request):
        request.session["n"] = request.session.get("n", 0) + 1
        return HttpResponse(str(request.session["n"]))

    def look(request):
        return HttpResponse(str(request.session.get("n")))

    def plain(request):
        return HttpResponse("plain")

    def nested(request):
        request.session.setdefault("cart", []).append(7)
        return HttpResponse(json.dumps(request.session["cart"]))

    def fail(request):
        request.session["n"] = 1000
        return HttpResponseServerError("failed")

    def parallel(request):
        """Another request of this session comes and goes while this one is answered."""
        request.session["one"] = 1
        other = SessionManager(settings.GUAVA_SESSION_STORE).open(request.session.session_key)
        if "out" in request.GET:
            other.destroy()
        else:
            other["two"] = 2
            other.save()
        return HttpResponse("both")

    def login(request):
        user = auth.authenticate(request, username="anna", password=request.POST["password"])
        if user is None:
            return HttpResponse("no", status=403)
        auth.login(request, user)
        return HttpResponse(user.username)

    def logout(request):
        auth.logout(request)
        return HttpResponse("out")

    def everywhere(request):
        sign_out_everywhere(request)
        return HttpResponse(str(request.user))

    def password(request):
        request.user.set_password("new")
        request.user.save()
        auth.update_session_auth_hash(request, request.user)
        return HttpResponse("changed")

    def me(request):
        return HttpResponse(f"{request.user} {request.session.user_id}")

    async def ame(request):
        return HttpResponse(str(await request.auser()))

    async def acount(request):
        await request.session.aset("n", await request.session.aget("n", 0) + 1)
        return HttpResponse(str(await request.session.aget("n")))

    def say(request):
        messages.success(request, "It is <done>.")
        return HttpResponse("said")

    def said(request):
        found = [
            (message.level_tag, message.message) for message in messages.get_messages(request)
        ]
        return HttpResponse(json.dumps(found))

    def form(request):
        return HttpResponse(get_token(request))

    async def alogin(request):
        user = await auth.aauthenticate(request, username="anna", password="secret")
        await auth.alogin(request, user)
        return HttpResponse(user.username)

    async def alogout(request):
        await auth.alogout(request)
        return HttpResponse("out")

    pages = [count, look, plain, nested, fail, parallel, login, logout, everywhere, password]
    pages += [me, ame, acount, say, said, form, alogin, alogout]
    Urls.urlpatterns = [path(page.__name__, page) for page in pages]
