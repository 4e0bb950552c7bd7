"""``python -m guava_session.audit`` against real sockets: options, output, errors."""

import contextlib
import http.server
import io
import json
import re
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import wsgiref.simple_server
from pathlib import Path

import pytest
from guava_session.audit.command import main

sys.path.append(str(Path(__file__).parent / "audited"))

from audited_site import AuditedSite

PROOF = "Signed in as anna"


class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True
    request_queue_size = 64  # all parallel writes at once

    def handle_error(self, request, client_address):
        pass  # what the audit sends is meant to hurt


class Handler(wsgiref.simple_server.WSGIRequestHandler):
    agents = []

    def get_environ(self):
        self.agents.append(self.headers["User-Agent"])
        return super().get_environ()

    def get_stderr(self):
        return io.StringIO()

    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def serving(application):
    server = Server(("127.0.0.1", 0), Handler)
    server.set_app(application)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def site(*faults):
    return serving(AuditedSite("plain-login", "no-prefix", *faults))


LOGIN = ["--login", "/login", "--username", "anna", "--user-field", "user"]
LOGIN += ["--password-field", "pass", "--whoami", "/me", "--proof", PROOF]
REST = ["--logout", "/logout", "--logout-form", "/logout", "--write", "/add"]
REST += ["--write-body", "key={key}&value={value}", "--write-form", "/add", "--read", "/items"]


@pytest.fixture(autouse=True)
def password(monkeypatch):
    monkeypatch.setenv("GUAVA_AUDIT_PASSWORD", "secret")


def test_a_site_with_nothing_wrong(capsys):
    Handler.agents.clear()
    with site() as url:
        assert main([url, *LOGIN, *REST]) == 0
    out, err = capsys.readouterr()
    assert "0 findings" in out and "broken off" in out and "0 broken off" in out
    assert err.count("only with the consent") == 1
    for name, option in (("error-survives", "--error"), ("cookie-secure", "a URL of https")):
        assert re.search(rf"^not tested +{name} +needs {option}$", out, re.MULTILINE)
    assert "never tested" in out and "constant time" in out
    (agent,) = set(Handler.agents)
    assert agent.startswith("guava-session-audit/")


def test_a_site_with_something_wrong(capsys):
    with site("replay") as url:
        assert main([url, *LOGIN, *REST]) == 1
    out = capsys.readouterr().out
    assert out.startswith("HIGH  logout-replay\n") and "1 findings" in out
    for word in ("  did   logged out", "  seen  a copy", "  do    end", "  see   OWASP"):
        assert word in out


def test_the_module_is_a_command(tmp_path):
    with site("no-httponly") as url:
        (tmp_path / "site.toml").write_text(
            f'url = "{url}"\nlogin = "/login"\nusername = "anna"\npassword = "secret"\n'
            f'user_field = "user"\npassword_field = "pass"\nwhoami = "/me"\nproof = "{PROOF}"\n'
        )
        command = [sys.executable, "-m", "guava_session.audit", "--config", "site.toml", "--json"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    (finding,) = [each for each in report["results"] if each["status"] == "finding"]
    assert finding["id"] == "cookie-httponly" and finding["severity"] == "medium"
    assert all(finding[key] for key in ("did", "seen", "advice", "source"))
    assert report["cookie"] == "sid" and report["requests"] > 50
    assert "comparison-time" in report["never tested"]


def test_nothing_is_said_to_be_passed_that_was_not_described(capsys):
    with site() as url:
        assert main([url, "--json"]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert {each["status"] for each in results} == {"not tested"}
    with site("unneeded") as url:
        assert main([url, "--json"]) == 1
    results = json.loads(capsys.readouterr().out)["results"]
    states = {each["id"]: each["status"] for each in results}
    assert states["login-rotation"] == states["lost-updates"] == "not tested"
    assert states["id-adopted"] == states["id-entropy"] == "passed"


def test_a_site_without_a_login_can_be_written_to(capsys):
    with site() as url:
        assert main([url, *REST[4:], "--only", "lost-updates", "--only", "csrf-write"]) == 0
    assert "2 passed" in capsys.readouterr().out


def test_the_least_severity_that_fails():
    with site("no-samesite") as url:
        words = [url, *LOGIN, "--only", "cookie-samesite"]
        assert main(words) == 1
        assert main([*words, "--fail-on", "medium"]) == 0


def test_the_list(capsys):
    assert main(["--list"]) == 0
    out = capsys.readouterr().out
    assert "logout-replay" in out and "comparison-time" in out


def fails(capsys, *words):
    assert main(list(words)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()[-1]


def test_a_site_that_is_not_there(capsys):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        assert f"http://127.0.0.1:{port} cannot be asked" in fails(
            capsys, f"http://127.0.0.1:{port}/"
        )


def test_a_site_that_does_not_answer(capsys):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert "no answer within 0.2 seconds" in fails(capsys, url, "--timeout", "0.2")


def test_what_is_no_http(capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer():
            connection, _ = other.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 mail.example ESMTP\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{other.getsockname()[1]}/"
        assert "cannot be asked" in fails(capsys, url)
        thread.join()


def test_a_wrong_password(capsys, monkeypatch):
    monkeypatch.setenv("GUAVA_AUDIT_PASSWORD", "guess")
    with site() as url:
        assert "Is the password wrong" in fails(capsys, url, *LOGIN)


def test_a_proof_that_is_none(capsys):
    with site() as url:
        words = [*LOGIN, "--whoami", "/", "--proof", "Welcome"]
        assert "proves nothing" in fails(capsys, url, *words)


def test_a_site_that_leads_elsewhere(capsys):
    def application(environ, start_response):
        start_response("302 Found", [("Location", "http://elsewhere.example:81/login")])
        return [b""]

    with serving(application) as url:
        error = fails(capsys, url)
    assert "http://elsewhere.example:81" in error and "--allow" in error


def test_redirects_without_end(capsys):
    def application(environ, start_response):
        start_response("302 Found", [("Location", "/")])
        return [b""]

    with serving(application) as url:
        assert "redirects more than 5 times" in fails(capsys, url)


def test_too_many_requests(capsys):
    def application(environ, start_response):
        start_response("429 Too Many Requests", [("Retry-After", "30")])
        return [b""]

    with serving(application) as url:
        assert "429" in fails(capsys, url) and "--delay"


def test_the_limit_of_requests(capsys):
    with site() as url:
        assert main([url, *LOGIN, "--max-requests", "30"]) == 2
        out = capsys.readouterr().out
        assert "; 30 requests" in out and "the limit of 30 requests is reached" in out
        assert "(--max-requests)" in fails(capsys, url, *LOGIN, "--max-requests", "2")


def test_only_what_one_may_test(capsys):
    assert "--permitted" in fails(capsys, "https://shop.example/")


@pytest.mark.parametrize(
    "words, text",
    [
        ([], "name the site"),
        (["ftp://127.0.0.1/"], "it must begin with http:// or https://"),
        (["http://127.0.0.1:99999/"], "is no address"),
        (["http://127.0.0.1/", "--login", "/login"], "login needs username"),
        (["http://127.0.0.1/", "--login", "login", "--username", "a"], "begins with '/'"),
        (["http://127.0.0.1/", "--write", "/add"], "write has no {value}"),
        (["http://127.0.0.1/", "--write", "/add?{value}"], "write needs read"),
        (["http://127.0.0.1/", "--plain-http", "https://a/"], "begins with http://"),
        (["http://127.0.0.1/", "--login-field", "a"], "NAME=VALUE"),
        (["http://127.0.0.1/", "--logout-method", "post"], "logout_method is GET or POST"),
        (["http://127.0.0.1/", "--only", "everything"], "there is no check 'everything'"),
        (["http://127.0.0.1/", "--config", "none.toml"], "none.toml cannot be read"),
        (["http://127.0.0.1/", "--ca", "none.pem"], "cannot be read"),
    ],
)
def test_words_that_make_no_sense(capsys, words, text):
    assert text in fails(capsys, *words)


@pytest.mark.parametrize(
    "toml, text",
    [
        ("url = ", "is no TOML"),
        ("url = 'http://127.0.0.1/'\nlogn = '/'\n", "'logn' is no key of a site"),
        ("url = 1\n", "url is a str, not 1"),
        ("login = '/'\n", "name the site"),
    ],
)
def test_files_that_make_no_sense(capsys, tmp_path, toml, text):
    (tmp_path / "site.toml").write_text(toml)
    assert text in fails(capsys, "--config", str(tmp_path / "site.toml"))


def test_a_wrong_choice(capsys):
    with pytest.raises(SystemExit) as ending:
        main(["http://127.0.0.1/", "--fail-on", "never"])
    assert ending.value.code == 2


def test_over_tls(capsys, tmp_path):
    x509 = pytest.importorskip("cryptography.x509", reason="makes the certificate")
    import datetime
    import ipaddress

    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "audited")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "site.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Plain)
    server.handle_error = lambda request, address: None  # a client that does not trust us
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    url = f"https://127.0.0.1:{server.server_port}/"
    try:
        assert "is not trusted" in fails(capsys, url)
        for words in (["--ca", str(pem)], ["--insecure"]):
            assert main([url, *words, "--only", "cookie-secure", "--only", "tls-hsts"]) == 1
            out = capsys.readouterr().out
            assert "HIGH  cookie-secure" in out and "LOW  tls-hsts" in out
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Plain(http.server.BaseHTTPRequestHandler):
    """Gives everybody a cookie, carelessly."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Set-Cookie", "id=0123456789abcdef")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass
