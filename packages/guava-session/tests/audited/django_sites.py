"""The compared site with Django's logins, its sessions and ours; it needs a process of its own.

The settings are those of `manage.py check --deploy`.
"""

import secrets

import django
from audited_parts import LOGIN, Slowness, form, front, listed
from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect
from django.test.utils import override_settings

slowness = Slowness()


def start(request):
    return HttpResponse("Welcome")


def show_form(request, fields):
    from django.middleware.csrf import get_token

    hidden = f"<input type=hidden name=csrfmiddlewaretoken value='{get_token(request)}'>"
    return HttpResponse(form(fields, hidden))


def login(request):
    from django.contrib import auth

    if request.method == "GET":
        return show_form(request, LOGIN)
    user = auth.authenticate(
        request, username=request.POST.get("username"), password=request.POST.get("password")
    )
    if user is None:
        return HttpResponse("no", status=422)
    auth.login(request, user)
    return HttpResponseRedirect("/me")


def me(request):
    if not request.user.is_authenticated:
        return HttpResponseRedirect("/login")
    return HttpResponse(f"Signed in as {request.user.username}")


def logout(request):
    from django.contrib import auth

    if request.method == "GET":
        return show_form(request, "")
    left = slowness.leave(list(request.session.keys()))
    auth.logout(request)
    left()
    return HttpResponseRedirect("/")


def add(request):
    if request.method == "GET":
        return show_form(request, "")
    slowness.step(request.POST["key"], list(request.session.keys()))
    request.session[request.POST["key"]] = request.POST["value"]
    return HttpResponseRedirect("/items")


def items(request):
    return HttpResponse(listed(request.session.items()))


def error(request):
    request.session["half"] = "done"
    raise ZeroDivisionError


def sites(folder):
    """Names and applications, one after the other: a setting chooses the engine."""
    settings.configure(
        SECRET_KEY=secrets.token_hex(32),
        ALLOWED_HOSTS=["site.test"],
        ROOT_URLCONF=__name__,
        DATABASES={
            "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "django.sqlite3"}
        },
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        # The password is no secret, and there are many logins.
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        SESSION_COOKIE_SECURE=True,
        CSRF_COOKIE_SECURE=True,
        LOGGING_CONFIG=None,
        GUAVA_SESSION_STORE="memory://",
    )
    django.setup()
    from django.contrib.auth import get_user_model
    from django.core.handlers.wsgi import WSGIHandler
    from django.core.management import call_command
    from django.urls import path
    from django.views.decorators.cache import never_cache

    pages = [login, me, logout, add, items, error]
    global urlpatterns
    urlpatterns = [path("", start)]
    urlpatterns += [path(page.__name__, never_cache(page)) for page in pages]
    call_command("migrate", verbosity=0)
    get_user_model().objects.create_user("anna", password="secret")
    engines = {
        f"Django, {name}": f"django.contrib.sessions.backends.{name}"
        for name in ("db", "cache", "signed_cookies")
    }
    engines["Django with guava-session"] = "guava_session.django"
    found = {}
    for name, engine in engines.items():
        with override_settings(SESSION_ENGINE=engine):
            handler = WSGIHandler()  # its middleware reads the setting here
        found[name] = front(handler)
    return found
