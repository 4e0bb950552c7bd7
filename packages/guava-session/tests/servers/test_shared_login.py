"""examples/shared_login: one login for Flask, FastAPI, Django and Guava, with nginx and Redis."""

import http.client
import http.cookiejar
import importlib.util
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from guava_session.audit import HTTPTransport, Site, Status, audit

START = Path(__file__).resolve().parents[4] / "examples" / "shared_login" / "start.py"
NAMES = ["flask", "fastapi", "django", "guava"]


# Not "module": a worker that steals tests comes back to a module it has left.
@pytest.fixture(scope="session")
def url():
    process = subprocess.Popen(
        [sys.executable, START, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that all of it can be ended, whatever happens
    )
    try:
        found = re.search(r"http://[0-9.:]+", process.stdout.readline())
        if found is None:
            pytest.fail(process.communicate(timeout=60)[1])
        yield found[0]
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(100) == 0
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            process.communicate()


class Browser:
    def __init__(self, url):
        self.url, self.jar = url, http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.jar)
        )

    def ask(self, path, form=None):
        data = None if form is None else urllib.parse.urlencode(form).encode()
        try:
            with self.opener.open(self.url + path, data, 60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def user(self, name):
        status, text = self.ask(f"/{name}/")
        assert status == 200 and f"This is {name}" in text
        found = re.search(r"Hello, (\w+)\.", text)
        assert found or "Nobody is signed in." in text
        return found and found[1]

    def users(self):
        return [self.user(name) for name in NAMES]

    def post(self, where, action, **fields):
        """Send the form that the page has."""
        _, text = self.ask(f"/{where}/")
        token = re.search(r'name="(csrf\w*)" value="([^"]+)"', text)
        return self.ask(f"/{where}/{action}", {token[1]: token[2], **fields})

    def sign_in(self, where, user="anna"):
        status, text = self.post(where, "login", name=user, password="guava")
        assert status == 200 and f"Hello, {user}." in text

    def sid(self):
        return next((cookie.value for cookie in self.jar if cookie.name == "guava_sid"), None)


@pytest.fixture
def browser(url):
    return Browser(url)


@pytest.mark.parametrize("first", NAMES)
@pytest.mark.parametrize("last", NAMES)
def test_a_login_on_one_is_one_on_all_until_the_logout_on_one(browser, first, last):
    assert browser.users() == [None] * 4
    before = browser.sid()
    browser.sign_in(first)
    after = browser.sid()
    assert before != after
    assert browser.users() == ["anna"] * 4
    assert browser.post(last, "logout")[0] == 200
    assert browser.users() == [None] * 4
    # Nor has the old cookie any power.
    for sid in (before, after):
        replay = Browser(browser.url)
        replay.opener.addheaders = [("Cookie", f"guava_sid={sid}")]
        assert replay.users() == [None] * 4


@pytest.mark.parametrize("name", NAMES)
def test_sign_out_everywhere_ends_all_of_a_users_sessions_and_nobody_elses(url, name):
    mine = [Browser(url) for _ in NAMES]
    other = Browser(url)
    for browser, where in zip(mine, NAMES, strict=True):
        browser.sign_in(where)
    other.sign_in(name, "bert")
    assert mine[0].post(name, "everywhere")[0] == 200
    for browser in mine:
        assert browser.users() == [None] * 4
    assert other.users() == ["bert"] * 4


@pytest.mark.parametrize("name", NAMES)
def test_another_user_takes_over_on_every_application(browser, name):
    for where in NAMES:
        browser.sign_in(where)
    page = browser.ask(f"/{name}/")[1]
    token = re.search(r'name="(csrf\w*)" value="([^"]+)"', page)
    form = {token[1]: token[2], "name": "bert", "password": "guava"}
    assert browser.ask(f"/{name}/login", form)[0] == 200
    assert browser.users() == ["bert"] * 4


@pytest.mark.parametrize("name", NAMES)
def test_wrong_passwords_and_forged_forms(browser, name):
    assert browser.post(name, "login", name="anna", password="wrong")[0] == 403
    assert browser.post(name, "login", name="nobody", password="guava")[0] == 403
    assert browser.ask(f"/{name}/login", {"name": "anna", "password": "guava"})[0] == 403
    assert browser.users() == [None] * 4
    browser.sign_in(name)
    for action in ("logout", "everywhere"):
        assert browser.ask(f"/{name}/{action}", {})[0] == 403
    forged = {"csrf": "A" * 86, "csrfmiddlewaretoken": "A" * 64}
    assert browser.ask(f"/{name}/logout", forged)[0] == 403
    assert browser.users() == ["anna"] * 4


@pytest.mark.parametrize("name", NAMES)
def test_a_planted_id_is_not_adopted(url, name):
    planted = "p" * 43
    for sid in (planted, "x; y", "../../etc/passwd"):
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
        connection.request("GET", f"/{name}/", headers={"Cookie": f"guava_sid={sid}"})
        answer = connection.getresponse()
        assert answer.status == 200 and b"Nobody" in answer.read()
        assert planted not in str(answer.getheader("Set-Cookie"))
        connection.close()


@pytest.mark.parametrize("name", NAMES)
def test_the_attack_suite_finds_nothing(url, name):
    words = ["--login", f"/{name}/", "--user-field", "name", "--username", "anna"]
    words += ["--whoami", f"/{name}/", "--proof", "Hello, anna", "--cookie", "guava_sid"]
    words += ["--logout", f"/{name}/logout", "--logout-form", f"/{name}/", "--permitted"]
    done = subprocess.run(
        [sys.executable, "-m", "guava_session.audit", f"{url}/{name}/", *words, "--timeout", "60"],
        env={**os.environ, "GUAVA_AUDIT_PASSWORD": "guava"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_many_at_once(url):
    """Browsers that sign in and out on all applications at a time, none sees another's login."""
    problems = []

    def life(number):
        user = ("anna", "bert")[number % 2]
        try:
            browser = Browser(url)
            for turn in range(3):
                where = NAMES[(number + turn) % 4]
                browser.sign_in(where, user)
                assert browser.users() == [user] * 4
                assert browser.post(NAMES[(number + turn + 1) % 4], "logout")[0] == 200
                assert browser.users() == [None] * 4
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=life, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_what_is_missing_is_said(monkeypatch):
    spec = importlib.util.spec_from_file_location("start_of_shared_login", START)
    start = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(start)
    start.find_programs()
    monkeypatch.setattr(start.shutil, "which", lambda name, path=None: None)
    with pytest.raises(start.Failed, match="apt install redis-tools nginx-light"):
        start.find_programs()


def test_a_port_that_is_taken_is_said(url):
    port = url.rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, START, "--port", port], capture_output=True, text=True, timeout=250
    )
    assert done.returncode == 1
    assert "nginx ended" in done.stderr and "Address already in use" in done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_the_audit_finds_nothing(url, name):
    site = Site(
        url + "/",
        login=f"/{name}/",
        username="anna",
        password="guava",
        user_field="name",
        whoami=f"/{name}/",
        proof="Hello, anna.",
        logout=f"/{name}/logout",
    )
    report = audit(site, HTTPTransport(timeout=60))
    assert report.cookie == "guava_sid"
    assert report.status() == 0, report.text()
    states = {result.check.id: result.status for result in report.results}
    for check in ("login-rotation", "logout-replay", "id-adopted", "tamper", "csrf-login"):
        assert states[check] is Status.PASSED
