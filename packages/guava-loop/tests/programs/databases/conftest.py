"""PostgreSQL and Redis for the tests: servers of their own, in a temporary folder, ended for sure.

Debian's packages; a server that the machine runs already is neither used nor disturbed.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# A sanitizer that is loaded into our process is nothing for these.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(true: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while not true():
        gone = process.poll() is not None
        assert not gone and time.monotonic() < deadline, log.read_text(errors="replace")
        time.sleep(0.02)


def answers(family: int, address: object) -> bool:
    with socket.socket(family) as probe, contextlib.suppress(OSError):
        probe.connect(address)
        return True
    return False


def end(process: subprocess.Popen[bytes], sent: int) -> None:
    if process.poll() is None:
        process.send_signal(sent)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# ---- PostgreSQL -------------------------------------------------------------------------------


class Postgres:
    """A PostgreSQL server on a unix socket and on 127.0.0.1, TLS included; anybody may be `guava`.

    It refuses to run as root: then it runs as Debian's `postgres`, or as `nobody`.
    """

    def __init__(self, folder: Path, certificate: Path, key: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.log = folder / "log"
        self.bin = self.find()
        data = folder / "data"
        shutil.copy(certificate, folder / "server.crt")
        shutil.copy(key, folder / "server.key")
        os.chmod(folder / "server.key", 0o600)
        if os.getuid() == 0:
            for path in (folder, folder / "server.crt", folder / "server.key"):
                os.chown(path, self.user().pw_uid, self.user().pw_gid)
        initdb = [self.bin / "initdb", "-D", data, "-U", "guava", "-A", "trust", "-N"]
        initdb += ["-E", "UTF8", "--no-locale"]
        self.call(initdb).check_returncode()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": folder,
            "fsync": "off",
            "ssl": "on",
            "ssl_cert_file": folder / "server.crt",
            "ssl_key_file": folder / "server.key",
            "max_connections": 50,
        }
        command = [self.bin / "postgres", "-D", data]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=folder, env=ENVIRONMENT, **self.owner()
            )
        ready = [self.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        try:
            until(lambda: self.call(ready).returncode == 0, self.process, self.log)
        except BaseException:
            self.end()
            raise

    @staticmethod
    def find() -> Path:
        # Debian keeps each version's programs in a folder of its own, outside of PATH.
        for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
            if (folder / "initdb").exists():
                return folder
        found = shutil.which("initdb")
        assert found, "PostgreSQL's server is missing: apt install postgresql, or ./run test"
        return Path(found).resolve().parent

    @staticmethod
    def user() -> pwd.struct_passwd:
        try:
            return pwd.getpwnam("postgres")
        except KeyError:
            return pwd.getpwnam("nobody")

    def owner(self) -> dict[str, object]:
        if os.getuid() != 0:
            return {}
        user = self.user()
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def call(self, command: list[object]) -> subprocess.CompletedProcess[bytes]:
        with self.log.open("ab") as log:
            return subprocess.run(
                command,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=ENVIRONMENT,
                timeout=120,
                **self.owner(),
            )

    def end(self) -> None:
        end(self.process, signal.SIGINT)  # its "fast" end: connections are cut


@pytest.fixture(scope="session")
def postgres(authority) -> Iterator[Postgres]:
    # Not pytest's folder for us: another user shall reach it, and a unix socket's path is short.
    with tempfile.TemporaryDirectory(prefix="guava-pg-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)
        server = Postgres(Path(folder), authority.certificate, authority.key)
        yield server
        server.end()


# ---- Redis ------------------------------------------------------------------------------------


class Redis:
    """A Redis server on 127.0.0.1 and on a unix socket, that keeps nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.socket = folder / "socket"
        self.log = folder / "log"
        self.start()

    def start(self) -> None:
        # Debian's redis-tools holds the server, too, under the name of its file checker; it asks
        # its own name what it is. That package, unlike redis-server, starts no service.
        program = shutil.which("redis-server") or shutil.which("redis-check-rdb")
        assert program, "Redis is missing: apt install redis-tools, or ./run test"
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--unixsocket", str(self.socket), "--save", "", "--appendonly", "no"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                executable=program,
                cwd=self.folder,
                env=ENVIRONMENT,
                stdout=log,
                stderr=log,
            )
        try:
            until(self.ready, self.process, self.log)
        except BaseException:
            self.end()
            raise

    def ready(self) -> bool:
        internet = answers(socket.AF_INET, ("127.0.0.1", self.port))
        return internet and answers(socket.AF_UNIX, str(self.socket))

    def end(self, sent: int = signal.SIGTERM) -> None:
        end(self.process, sent)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    with tempfile.TemporaryDirectory(prefix="guava-redis-") as folder:
        server = Redis(Path(folder))
        yield server
        server.end()
