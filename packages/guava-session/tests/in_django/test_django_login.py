"""Logins in Django, by Django and by its neighbours; messages and CSRF tokens in our sessions."""

import asyncio
import json

import pytest
from guava_session import SessionManager

django = pytest.importorskip("django", reason="Django's face is tested with Django")
from django.conf import settings  # noqa: E402


def cookie_of(client):
    found = client.cookies.get(settings.SESSION_COOKIE_NAME)
    return found.value if found else None


def sign_in(client):
    answer = client.post("/login", {"password": "secret"})
    assert answer.status_code == 200
    return cookie_of(client)


def test_login_and_logout(client, anna, store):
    client.get("/count")
    before = cookie_of(client)
    assert client.post("/login", {"password": "wrong"}).status_code == 403
    after = sign_in(client)
    assert after != before and store.get(before) is None
    assert client.get("/me").content == f"anna {anna.pk}".encode()
    assert client.get("/look").content == b"1"
    answer = client.get("/logout")
    assert answer.cookies["sessionid"]["max-age"] == 0
    assert store.get(after) is None
    client.cookies["sessionid"] = after
    assert client.get("/me").content == b"AnonymousUser None"


def test_clear_signs_out_as_in_django(client, anna, store):
    sid = sign_in(client)
    session = client.session
    session.clear()
    assert session.modified and session.is_empty() and store.get(sid) is None
    assert client.get("/me").content == b"AnonymousUser None"


def test_the_test_clients_logins(client, anna):
    from django.test import AsyncClient, Client

    client.force_login(anna)
    assert client.get("/me").content == f"anna {anna.pk}".encode()
    client.logout()
    assert client.get("/me").content == b"AnonymousUser None"
    other = Client()
    assert other.login(username="anna", password="secret")
    assert other.get("/me").content == f"anna {anna.pk}".encode()
    session = other.session
    session["n"] = 41
    session.save()
    assert other.get("/count").content == b"42"

    async def asynchronously():
        client = AsyncClient()
        await asyncio.to_thread(client.force_login, anna)
        return (await client.get("/ame")).content

    assert asyncio.run(asynchronously()) == b"anna"


def test_another_framework_signs_in_and_out(client, anna, store):
    manager = SessionManager(store)
    session = manager.open(None)
    session.bind(anna.pk)
    session["_user_id"] = "a key of Flask-Login's"
    client.cookies["sessionid"] = manager.commit(session).value
    assert client.get("/me").content == f"anna {anna.pk}".encode()
    # Django's own keys are there now, and its password hash with them.
    assert client.session["_auth_user_id"] == str(anna.pk)
    answer = client.get("/me")
    assert answer.content == f"anna {anna.pk}".encode() and not answer.cookies
    anna.set_password("another")
    anna.save()
    assert client.get("/me").content == b"AnonymousUser None"

    sid = client.cookies["sessionid"] = SessionManager(store).commit(bound(store, anna.pk)).value
    assert client.get("/me").content.startswith(b"anna")
    manager.open(sid).destroy()
    assert client.get("/me").content == b"AnonymousUser None"


def bound(store, user_id):
    session = SessionManager(store).open(None)
    session.bind(user_id)
    return session


def test_djangos_login_is_everybodys(client, anna, store):
    sid = sign_in(client)
    assert SessionManager(store).open(sid).user_id == str(anna.pk)


def test_somebody_else_signs_in_elsewhere(client, anna, store):
    from django.contrib.auth import get_user_model

    bert = get_user_model().objects.create_user("bert")
    manager = SessionManager(store)
    session = manager.open(sign_in(client))
    session.bind(bert.pk)
    client.cookies["sessionid"] = manager.commit(session).value
    assert client.get("/me").content == f"bert {bert.pk}".encode()
    session = manager.open(cookie_of(client))
    session.bind("nobody whom Django knows")
    client.cookies["sessionid"] = manager.commit(session).value
    assert client.get("/me").content == b"AnonymousUser nobody whom Django knows"
    assert "_auth_user_id" not in client.session
    bert.is_active = False
    bert.save()
    client.cookies["sessionid"] = manager.commit(bound(store, bert.pk)).value
    assert client.get("/me").content == f"AnonymousUser {bert.pk}".encode()
    bert.delete()


def test_sign_out_everywhere(client, anna, store):
    from django.test import Client

    other = Client()
    sign_in(client), sign_in(other)
    assert client.get("/everywhere").content == b"AnonymousUser"
    assert other.get("/me").content == client.get("/me").content == b"AnonymousUser None"
    sign_in(client)
    SessionManager(store).sign_out_everywhere(anna.pk)
    assert client.get("/me").content == b"AnonymousUser None"


def test_a_new_password_ends_the_other_sessions(client, anna):
    from django.test import Client

    other = Client()
    before = sign_in(client)
    sign_in(other)
    client.get("/password")
    assert cookie_of(client) != before
    assert client.get("/me").content.startswith(b"anna")
    assert other.get("/me").content == b"AnonymousUser None"


def test_users_by_another_field(client, anna, store):
    from django.test.utils import override_settings

    with override_settings(GUAVA_SESSION_USER_ID="username"):
        sid = sign_in(client)
        assert SessionManager(store).open(sid).user_id == "anna"
        client.cookies["sessionid"] = SessionManager(store).commit(bound(store, "anna")).value
        assert client.get("/me").content == b"anna anna"


def test_without_shared_login_djangos_own_logins_are_bound(client, anna, store):
    from django.test.utils import override_settings

    with override_settings(
        MIDDLEWARE=[name for name in settings.MIDDLEWARE if "guava" not in name]
    ):
        sid = sign_in(client)
        assert client.get("/me").content == f"anna {anna.pk}".encode()
        SessionManager(store).sign_out_everywhere(anna.pk)
        assert client.get("/me").content == b"AnonymousUser None"
        assert store.get(sid) is None


# Django's other guests of a session.


def test_messages(client):
    client.get("/say")
    assert json.loads(client.get("/said").content) == [["success", "It is <done>."]]
    assert json.loads(client.get("/said").content) == []


@pytest.mark.parametrize("in_sessions", [False, True])
def test_csrf(anna, in_sessions):
    from django.test import Client
    from django.test.utils import override_settings

    with override_settings(CSRF_USE_SESSIONS=in_sessions):
        client = Client(enforce_csrf_checks=True)
        assert client.post("/login", {"password": "secret"}).status_code == 403
        token = client.get("/form").content.decode()
        assert ("csrftoken" in client.cookies) is not in_sessions
        form = {"password": "secret", "csrfmiddlewaretoken": token}
        assert client.post("/login", form).status_code == 200
        assert client.get("/me").content.startswith(b"anna")
        assert client.post("/login", form).status_code == 403  # the login made another secret


@pytest.mark.skipif(django.VERSION < (5, 1), reason="aset() and alogin() are as old")
def test_asynchronous_views(anna):
    from django.test import AsyncClient

    async def visit():
        client = AsyncClient()
        texts = [(await client.get("/acount")).content for _ in range(2)]
        texts += [(await client.get("/alogin")).content, (await client.get("/ame")).content]
        await client.get("/alogout")
        return [*texts, (await client.get("/ame")).content]

    assert asyncio.run(visit()) == [b"1", b"2", b"anna", b"anna", b"AnonymousUser"]
