"""Starts the shared login: Redis, four applications, nginx in front; ends them all with itself.

    python examples/shared_login/start.py --port 8080

It needs nginx and Redis (Debian: nginx-light, redis-tools), and Flask, FastAPI, Django, Guava,
gunicorn and uvicorn. Everything that it writes goes into a temporary folder.
"""

import argparse
import contextlib
import http.client
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import NoReturn

HERE = Path(__file__).resolve().parent
DEADLINE = 120.0  # seconds for all of it to answer

NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
{user}
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/nginx_body;
    proxy_temp_path {folder}/nginx_proxy;
    fastcgi_temp_path {folder}/nginx_fastcgi;
    uwsgi_temp_path {folder}/nginx_uwsgi;
    scgi_temp_path {folder}/nginx_scgi;
    server {{
        listen 127.0.0.1:{port};
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
        add_header Cache-Control no-store;  # after a sign-out the button Back shows nothing
        location = / {{ return 302 /guava/; }}
{locations}
    }}
}}
"""


class Failed(Exception):
    """Something is missing, or did not start."""


class Site:
    """All programs of the site. Use it in a with statement: they end at its end."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.folder = Path(tempfile.mkdtemp(prefix="shared-login-"))
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._environment = {
            **os.environ,
            "SHARED_LOGIN_FOLDER": str(self.folder),
            "SHARED_LOGIN_REDIS": f"unix://{self.folder}/redis.sock",
            "SHARED_LOGIN_SECRET": secrets.token_urlsafe(50),
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "Site":
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _start(self) -> None:
        redis, nginx = find_programs()
        words = ["redis-server", "--port", "0", "--unixsocket", f"{self.folder}/redis.sock"]
        # Debian's redis-tools has the server under another name; it asks its own what it is.
        self._run("redis", [*words, "--save", ""], executable=redis, environment=programs_own())
        self._wait("redis", lambda: (self.folder / "redis.sock").exists())
        gunicorn = ["-m", "gunicorn", "--threads", "4", "--bind", "fd://{fd}"]
        ports = {
            "flask": self._listen("flask", [*gunicorn, "flask_app:app"]),
            "django": self._listen("django", [*gunicorn, "django_app:application"]),
            "fastapi": self._listen(
                "fastapi", ["-m", "uvicorn", "--fd", "{fd}", "fastapi_app:app"]
            ),
            "guava": self._start_guava(),
        }
        self._start_nginx(nginx, ports)
        for name in ports:
            self._wait(name, lambda name=name: self.answers(f"/{name}/"))  # type: ignore[misc]

    def _listen(self, name: str, words: list[str]) -> int:
        """Start an application on a socket that is there already: no port can be lost."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            fd = listener.fileno()
            command = [sys.executable, *(word.format(fd=fd) for word in words)]
            self._run(name, command, fds=(fd,))
            port: int = listener.getsockname()[1]
        return port

    def _start_guava(self) -> int:
        self._run("guava", [sys.executable, "guava_app.py"])
        log = self.folder / "guava.log"
        self._wait("guava", lambda: "\n" in log.read_text())
        return int(log.read_text().splitlines()[0].rstrip("/").rpartition(":")[2])

    def _start_nginx(self, program: str, ports: Mapping[str, int]) -> None:
        if not self.port:
            with socket.create_server(("127.0.0.1", 0)) as probe:
                self.port = probe.getsockname()[1]
        locations = "\n".join(
            f"        location /{name}/ {{ proxy_pass http://127.0.0.1:{port}; }}"
            for name, port in ports.items()
        )
        # nginx would go on as nobody, who may not enter the folder.
        user = "" if os.geteuid() else f"user {pwd.getpwuid(0).pw_name};"
        configuration = self.folder / "nginx.conf"
        configuration.write_text(
            NGINX.format(folder=self.folder, port=self.port, locations=locations, user=user)
        )
        words = [program, "-p", str(self.folder), "-e", "stderr", "-c", str(configuration)]
        self._run("nginx", words, environment=programs_own())
        self._wait("nginx", lambda: self.answers("/"))

    def _run(
        self,
        name: str,
        command: list[str],
        executable: str | None = None,
        environment: Mapping[str, str] | None = None,
        fds: tuple[int, ...] = (),
    ) -> None:
        with open(self.folder / f"{name}.log", "wb") as log:
            self._running[name] = subprocess.Popen(
                command,
                executable=executable,
                cwd=HERE if environment is None else self.folder,
                env={**(environment or self._environment)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=fds,
            )

    def _wait(self, name: str, ready: Callable[[], bool]) -> None:
        until = time.monotonic() + DEADLINE
        while not ready():
            gone = self._running[name].poll() is not None
            if gone or time.monotonic() > until:
                text = (self.folder / f"{name}.log").read_text(errors="replace")
                raise Failed(f"{name} {'ended' if gone else 'does not answer'}:\n{text}")
            time.sleep(0.05)

    def answers(self, path: str) -> bool:
        """Whether the application behind a path is there."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            with contextlib.closing(connection):
                connection.request("GET", path)
                return connection.getresponse().status < 400
        return False

    def watch(self) -> NoReturn:
        """Wait until one of the programs ends, which none of them should."""
        while True:
            for name, process in self._running.items():
                if process.poll() is not None:
                    text = (self.folder / f"{name}.log").read_text(errors="replace")
                    raise Failed(f"{name} ended:\n{text}")
            time.sleep(0.5)

    def stop(self) -> None:
        """End all of them, the one in front first, and remove what they wrote."""
        for process in reversed(self._running.values()):
            process.terminate()
        for process in reversed(self._running.values()):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()
        shutil.rmtree(self.folder, ignore_errors=True)


def find_programs() -> tuple[str, str]:
    """Redis' server and nginx; and whether the Python packages are there."""
    redis = shutil.which("redis-server") or shutil.which("redis-check-rdb")
    # Debian keeps nginx where only root's PATH looks.
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    missing = [
        word for word, found in (("redis-tools", redis), ("nginx-light", nginx)) if not found
    ]
    if redis is None or nginx is None:
        raise Failed(f"please install (Debian's names): apt install {' '.join(missing)}")
    packages = ("flask", "fastapi", "django", "guava", "gunicorn", "uvicorn", "redis")
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise Failed(f"please install: pip install {' '.join(missing)}")
    return redis, nginx


def programs_own() -> dict[str, str]:
    """An environment for programs that are not Python: what is preloaded for us is not theirs."""
    return {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}


def interrupt(signum: int, frame: FrameType | None) -> None:
    # A second signal must not leave some of the programs running.
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> None:
    parser = argparse.ArgumentParser(description="One login for Flask, FastAPI, Django and Guava.")
    parser.add_argument("--port", default=8080, type=int, help="0 takes a free one (%(default)s)")
    options = parser.parse_args()
    if not 0 <= options.port <= 65535:
        parser.error(f"a port is a number from 0 to 65535, not {options.port}")
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, interrupt)
    try:
        with Site(options.port) as site:
            print(f"The shared login is at {site.url}/ ; sign in as anna or bert, password guava")
            sys.stdout.flush()
            site.watch()
    except Failed as error:
        sys.exit(f"start: {error}")
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
