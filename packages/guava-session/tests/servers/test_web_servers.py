"""WSGISessions and ASGISessions, Flask and FastAPI under the servers that people run them with."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from guava_session import FileStore, SessionManager

HERE = Path(__file__).parent
WAITRESS = """
import importlib, os, socket, sys, waitress
sys.path.insert(0, os.getcwd())
application = getattr(importlib.import_module("served_applications"), sys.argv[2])
waitress.serve(application, sockets=[socket.socket(fileno=int(sys.argv[1]))], _quiet=True)
"""
COMMANDS = {
    # Two processes, which share nothing but the store.
    "gunicorn": ["-m", "gunicorn", "--workers", "2", "--bind", "fd://FD", "APP"],
    "waitress": ["-c", WAITRESS, "FD", "NAME"],
    "uvicorn": ["-m", "uvicorn", "--fd", "FD", "APP"],
    "hypercorn": ["-m", "hypercorn", "--bind", "fd://FD", "APP"],
}
SETUPS = [
    ("gunicorn", "wsgi"),
    ("gunicorn", "flask_app"),
    ("waitress", "wsgi"),
    ("waitress", "flask_app"),
    ("uvicorn", "asgi"),
    ("uvicorn", "fastapi_app"),
    ("hypercorn", "asgi"),
]


@pytest.fixture(params=SETUPS, ids="-".join)
def port(request, tmp_path):
    server, name = request.param
    with socket.create_server(("127.0.0.1", 0)) as listener:
        fd, port = listener.fileno(), listener.getsockname()[1]
        words = {"FD": str(fd), "fd://FD": f"fd://{fd}", "NAME": name}
        words["APP"] = f"served_applications:{name}"
        process = subprocess.Popen(
            [sys.executable, *(words.get(word, word) for word in COMMANDS[server])],
            cwd=HERE,
            env={**os.environ, "SERVED_SESSIONS": str(tmp_path / "sessions")},
            pass_fds=[fd],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # so that its workers can be ended with it, whatever happens
        )
    yield port
    process.send_signal(signal.SIGINT if server == "waitress" else signal.SIGTERM)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise


def ask(port, path, cookie=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=100)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer


def test_a_session_from_login_to_logout(port, tmp_path):
    status, text, answer = ask(port, "/count")
    line = answer.getheader("Set-Cookie")
    assert (status, text) == (200, "1") and line.endswith("; Path=/; HttpOnly; SameSite=Lax")
    cookie = line.partition(";")[0]
    for number in range(2, 9):  # whichever process answers
        _, text, answer = ask(port, "/count", cookie)
        assert text == str(number) and answer.getheader("Set-Cookie") is None
        assert answer.getheader("Vary") == "Cookie"
    _, _, answer = ask(port, "/login", cookie)
    signed_in = answer.getheader("Set-Cookie").partition(";")[0]
    assert signed_in != cookie
    assert ask(port, "/me", signed_in)[1] == "anna" and ask(port, "/me", cookie)[1] == "None"
    with FileStore(tmp_path / "sessions") as store:
        SessionManager(store).sign_out_everywhere("anna")
    _, text, answer = ask(port, "/me", signed_in)
    assert text == "None" and "Max-Age=0" in answer.getheader("Set-Cookie")
