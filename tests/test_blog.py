"""The demo, as a person uses it: a real process, a browser's requests."""

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode

import pytest

BLOG = Path(__file__).parent.parent / "examples" / "blog" / "app.py"


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()


class Browser:
    def __init__(self, port: int) -> None:
        self.port = port
        self.cookies: dict[str, str] = {}

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        headers = dict(headers or {})
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, body, headers)
        answer = Answer(connection.getresponse())
        connection.close()
        for line in answer.headers.get_all("Set-Cookie", []):
            name, _, value = line.partition(";")[0].partition("=")
            if "Max-Age=0" in line:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer

    def submit(self, path: str, **fields: str) -> Answer:
        """Opens the page of a form, fills it in and sends it; then follows the redirect."""
        form = self.ask(path)
        assert form.status == 200, form.text
        token = re.search(r'name="token" value="([^"]+)"', form.text)
        assert token is not None
        return self.send(path, token=token[1], **fields)

    def send(self, path: str, **fields: str) -> Answer:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self.ask(path, "POST", urlencode(fields), kind)
        if answer.status == 303:
            return self.ask(answer.headers["Location"])
        return answer

    def token(self) -> str:
        found = re.search(r'name="token" value="([^"]+)"', self.ask("/session/login").text)
        assert found is not None
        return found[1]

    def sign_in(self, name: str = "demo", password: str = "guava") -> Answer:
        return self.submit("/session/login", name=name, password=password)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("blog") / "data"


@pytest.fixture(scope="module")
def port(data: Path) -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, BLOG, "--port", "0", "--data", data],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"Guava's demo is at http://127\.0\.0\.1:(\d+)/\n", line)
    if found is None:
        process.kill()
        pytest.fail(line + process.communicate()[1])
    yield int(found[1])
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in errors


@pytest.fixture
def browser(port: int) -> Browser:
    return Browser(port)


class Links(HTMLParser):
    """The addresses that a page leads to; all tags that need an end have one."""

    VOID = {"meta", "link", "img", "input", "br"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attributes:
            if name in ("href", "src") and value is not None:
                self.links.add(value)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_every_link_of_the_site_leads_somewhere(browser: Browser) -> None:
    browser.sign_in()
    seen: set[str] = set()
    todo = ["/"]
    while todo:
        path = todo.pop().partition("#")[0]
        if not path or path in seen:
            continue
        seen.add(path)
        answer = browser.ask(path)
        assert answer.status == 200, path
        if answer.headers["Content-Type"].startswith("text/html"):
            links = Links(answer.text).links
            assert all(link.startswith(("/", "#")) for link in links) or path == "/static/"
            todo += [link for link in links if link.startswith("/")]
    assert {"/", "/post", "/post/view/1", "/post/new", "/about", "/@demo"} <= seen
    assert {"/static/style.css", "/static/guava.svg", "/api/posts", "/session/visits"} <= seen


def test_reading_sets_no_cookie(browser: Browser) -> None:
    for path in ("/", "/post", "/post/view/1", "/about", "/@demo", "/static/style.css"):
        answer = browser.ask(path)
        assert answer.status == 200
        assert "Set-Cookie" not in answer.headers, path


def test_pages_are_guarded(browser: Browser) -> None:
    answer = browser.ask("/")
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_visits(browser: Browser) -> None:
    for count in (1, 2, 3):
        assert f'<p class="count">{count}</p>' in browser.ask("/session/visits").text
    browser.cookies.clear()
    assert '<p class="count">1</p>' in browser.ask("/session/visits").text


def test_a_wrong_password(browser: Browser) -> None:
    for name, password in [("demo", "wrong"), ("nobody", "guava"), ("", "")]:
        answer = browser.submit("/session/login", name=name, password=password)
        assert answer.status == 422
        assert "do not belong together" in answer.text
    assert "Sign in" in browser.ask("/").text


def test_signing_in_changes_the_id_and_out_ends_it(browser: Browser) -> None:
    browser.ask("/session/visits")
    before = dict(browser.cookies)
    answer = browser.sign_in()
    assert "Welcome, demo." in answer.text
    assert "Welcome, demo." not in browser.ask("/").text
    after = dict(browser.cookies)
    assert after != before
    # Who knew the old id has nothing; who has the new one is signed in and still counted.
    browser.cookies = before
    assert "Sign out demo" not in browser.ask("/").text
    browser.cookies = after
    assert "Sign out demo" in browser.ask("/").text
    assert '<p class="count">2</p>' in browser.ask("/session/visits").text
    assert browser.submit("/session/logout").status == 200
    browser.cookies = after
    assert "Sign out demo" not in browser.ask("/").text


def test_writing_a_post(browser: Browser) -> None:
    answer = browser.ask("/post/new")
    assert (answer.status, answer.headers["Location"]) == (303, "/session/login")
    answer = browser.sign_in()
    assert "<h1>Write a post</h1>" in answer.text  # where the visitor wanted to go
    nasty = "<script>alert('x')</script> & \"quotes\" `<b>code</b>`"
    answer = browser.submit("/post/new", title="<i>Tom</i> & Jerry", body=nasty)
    assert "Your post is here." in answer.text
    assert "<script>" not in answer.text and "<i>" not in answer.text and "<b>" not in answer.text
    assert "&lt;i&gt;Tom&lt;/i&gt; &amp; Jerry" in answer.text
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in answer.text
    assert "<code>&lt;b&gt;code&lt;/b&gt;</code>" in answer.text
    Links(answer.text)
    number = re.search(r"/post/edit/(\d+)", answer.text)
    assert number is not None

    answer = browser.submit(f"/post/edit/{number[1]}", title="New title", body="New text")
    assert "Saved." in answer.text and "New title" in answer.text
    form = browser.ask(f"/post/edit/{number[1]}")
    assert 'value="New title"' in form.text and "New text</textarea>" in form.text
    assert "New title" in browser.ask("/post").text

    other = Browser(browser.port)
    assert other.ask(f"/post/edit/{number[1]}").headers["Location"] == "/session/login"
    other.sign_in("rosa", "psidium")
    assert other.ask(f"/post/edit/{number[1]}").status == 404
    token = other.token()
    assert other.send(f"/post/delete/{number[1]}", token=token).status == 404
    assert browser.ask(f"/post/view/{number[1]}").status == 200

    page = browser.ask(f"/post/view/{number[1]}").text
    token = re.search(r'name="token" value="([^"]+)"', page)[1]  # type: ignore[index]
    answer = browser.send(f"/post/delete/{number[1]}", token=token)
    assert "is deleted." in answer.text
    assert browser.ask(f"/post/view/{number[1]}").status == 404


def test_drafts_are_for_their_author(browser: Browser) -> None:
    browser.sign_in()
    answer = browser.submit("/post/new", title="Half a thought", body="More soon", draft="1")
    address = re.search(r"/post/edit/(\d+)", answer.text)
    assert address is not None
    path = f"/post/view/{address[1]}"
    assert "Draft" in browser.ask(path).text
    stranger = Browser(browser.port)
    assert stranger.ask(path).status == 404
    for place in ("/", "/post", "/@demo", "/api/posts", "/post/export"):
        assert "Half a thought" not in stranger.ask(place).text
    assert stranger.ask(f"/api/posts/{address[1]}").status == 404


@pytest.mark.parametrize(
    ("title", "body", "problem"),
    [
        ("", "text", "needs a title"),
        ("   ", "text", "needs a title"),
        ("title", " \n ", "needs some text"),
        ("t" * 121, "text", "at most 120"),
        ("title", "b" * 20001, "at most 20000"),
    ],
)
def test_what_cannot_be_kept_is_shown_again(
    browser: Browser, title: str, body: str, problem: str
) -> None:
    browser.sign_in()
    answer = browser.submit("/post/new", title=title, body=body)
    assert answer.status == 422
    assert problem in answer.text
    if body.strip():
        assert body in answer.text


def test_a_form_needs_its_token(browser: Browser) -> None:
    browser.sign_in()
    for fields in ({}, {"token": ""}, {"token": "wrong"}, {"token": "ü"}):
        answer = browser.send("/post/new", title="Planted", body="text", **fields)
        assert answer.status == 403
    assert browser.ask("/session/logout", "POST").status == 403
    assert "Planted" not in browser.ask("/post").text
    assert "Sign out demo" in browser.ask("/").text
    stranger = Browser(browser.port)
    assert stranger.send("/session/login", name="demo", password="guava").status == 403


def test_what_is_not_there(browser: Browser) -> None:
    for path in ("/nowhere", "/post/nowhere", "/post/view/999999", "/post/view/x", "/@nobody"):
        assert browser.ask(path).status == 404
    for path in ("/post/view/99999999999999999999", "/post/view/%C2%B2", "/post/view", "/page"):
        assert browser.ask(path).status == 404
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/store", "/post/_form"):
        assert browser.ask(path).status in (400, 404)


def test_errors_look_like_the_blog(browser: Browser) -> None:
    answer = browser.ask("/nowhere")
    assert "The Guava Blog" in answer.text and "Nothing here" in answer.text
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    Links(answer.text)
    answer = browser.send("/post/new", title="x")
    assert (answer.status, "reload the page" in answer.text) == (403, True)
    assert "The Guava Blog" not in browser.ask("/api/nowhere").text


def test_the_list_and_the_export(browser: Browser) -> None:
    assert browser.ask("/post/list").headers["Location"] == "/post"
    answer = browser.ask("/post/export")
    assert answer.headers["Transfer-Encoding"] == "chunked"
    titles = {json.loads(line)["title"] for line in answer.text.splitlines()}
    assert "From seed to server" in titles


class TestAPI:
    BASIC = {"Authorization": "Basic " + b64encode(b"rosa:psidium").decode()}
    JSON = {"Content-Type": "application/json"}

    def test_reading(self, browser: Browser) -> None:
        posts = json.loads(browser.ask("/api/posts").text)
        assert json.loads(browser.ask("/api/posts/").text) == posts
        assert json.loads(browser.ask("/api/posts/1").text) == posts[-1]
        assert posts[-1]["title"] == "From seed to server"
        assert browser.ask("/api/posts/999").status == 404
        assert browser.ask("/api/posts/1", "HEAD").text == ""

    def test_writing(self, browser: Browser) -> None:
        headers = self.BASIC | self.JSON
        body = json.dumps({"title": "By program", "body": "Hello"})
        answer = browser.ask("/api/posts", "POST", body, headers)
        assert answer.status == 201
        address = answer.headers["Location"]
        post = json.loads(answer.text)
        assert (post["author"], post["draft"]) == ("rosa", False)
        assert json.loads(browser.ask(address).text) == post
        assert "By program" in browser.ask(f"/post/view/{post['id']}").text
        answer = browser.ask(address, "PUT", json.dumps({"title": "Changed"}), headers)
        assert json.loads(answer.text)["title"] == "Changed"
        assert json.loads(answer.text)["body"] == "Hello"
        answer = browser.ask(address, "DELETE", headers=self.BASIC)
        assert (answer.status, answer.text) == (204, "")
        assert browser.ask(address).status == 404

    @pytest.mark.parametrize(
        ("headers", "body", "status"),
        [
            (JSON, "{}", 401),
            (JSON | {"Authorization": "Basic " + b64encode(b"rosa:x").decode()}, "{}", 401),
            (JSON | {"Authorization": "Basic %%%"}, "{}", 400),
            (JSON | {"Authorization": "Bearer x"}, "{}", 401),
            (BASIC, '{"title": "a", "body": "b"}', 415),
            (BASIC | {"Content-Type": "text/plain"}, '{"title": "a", "body": "b"}', 415),
            (BASIC | JSON, "{", 400),
            (BASIC | JSON, "[]", 400),
            (BASIC | JSON, '{"title": 5, "body": "b"}', 400),
            (BASIC | JSON, '{"title": "", "body": "b"}', 422),
        ],
    )
    def test_what_is_refused(
        self, browser: Browser, headers: dict[str, str], body: str, status: int
    ) -> None:
        answer = browser.ask("/api/posts", "POST", body, headers | {"Accept": "application/json"})
        assert answer.status == status
        assert json.loads(answer.text)["status"] == status
        assert ("WWW-Authenticate" in answer.headers) == (status == 401)

    def test_posts_of_others(self, browser: Browser) -> None:
        headers = self.BASIC | self.JSON
        assert browser.ask("/api/posts/1", "PUT", "{}", headers).status == 403
        assert browser.ask("/api/posts/1", "DELETE", headers=headers).status == 403

    def test_methods(self, browser: Browser) -> None:
        answer = browser.ask("/api/posts", "DELETE")
        assert answer.status == 405
        assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_what_the_data_folder_holds(browser: Browser, data: Path) -> None:
    browser.ask("/session/visits")
    assert (data / "blog.sqlite3").is_file()
    assert (data / "sessions").stat().st_mode & 0o077 == 0


def test_posts_and_sessions_outlive_the_process(tmp_path: Path) -> None:
    cookies: dict[str, str] = {}
    for count in (1, 2):
        process = subprocess.Popen(
            [sys.executable, BLOG, "--port", "0", "--data", tmp_path / "data"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            browser = Browser(int(line.rpartition(":")[2].strip().strip("/")))
            browser.cookies = cookies
            assert f'<p class="count">{count}</p>' in browser.ask("/session/visits").text
            assert len(json.loads(browser.ask("/api/posts").text)) == 3
            cookies = browser.cookies
        finally:
            process.terminate()
            assert process.wait(30) == 0


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = subprocess.run(
            [sys.executable, BLOG, "--port", port, "--data", tmp_path],
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert port in result.stderr
