"""Servers of their own for the stores that speak to one, in a temporary folder, ended for sure.

They need Debian's packages and the dependency group "programs", so they are collected only when
they are asked for by name, as in pytest packages/guava-session/tests/servers.
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

HERE = Path(__file__).parent

# A sanitizer that is loaded into our process is nothing for these.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    asked = (Path(argument.partition("::")[0]).resolve() for argument in config.args)
    if any(path == HERE or HERE in path.parents for path in asked):
        return None
    return True


class Server:
    """A server on a port of 127.0.0.1, which can be stopped, frozen and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    def words(self) -> tuple[str, list[str]]:
        """The program's file, and its name and arguments."""
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def owner(self) -> dict[str, object]:
        """Whose process it is, if not ours."""
        return {}

    def start(self) -> None:
        program, words = self.words()
        log = self.folder / "log"
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                words,
                executable=program,
                cwd=self.folder,
                env=ENVIRONMENT,
                stdout=file,
                stderr=file,
                **self.owner(),  # type: ignore[call-overload]
            )
        deadline = time.monotonic() + 60
        while not self.answers():
            gone = self.process.poll() is not None
            assert not gone and time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.02)

    def stop(self, sent: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.signal_all(signal.SIGCONT)  # where a test has frozen it
            self.process.send_signal(sent)
            self.process.wait(60)
            self.process = None

    def signal_all(self, sent: int) -> None:
        """The process and its children: PostgreSQL has one for each connection.

        The parent goes first, so that a frozen one makes no more of them.
        """
        assert self.process is not None
        self.process.send_signal(sent)
        pid = self.process.pid
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), sent)

    def ask(self, request: bytes) -> bytes:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), 5) as sock,
        ):
            sock.sendall(request)
            return sock.recv(100)
        return b""


class RedisServer(Server):
    """Redis; it keeps its data through a restart."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def words(self) -> tuple[str, list[str]]:
        # Debian's redis-tools holds the server under the name of its file checker; it asks its own
        # name what it is.
        program = shutil.which("redis-server") or shutil.which("redis-check-rdb")
        assert program, "Redis is missing: apt install redis-tools, or ./run test"
        words = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1"]
        words += ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        return program, words

    def answers(self) -> bool:
        return self.ask(b"PING\r\n") == b"+PONG\r\n"  # not -LOADING


class MemcachedServer(Server):
    """memcached, which forgets all with a restart."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.address = f"127.0.0.1:{self.port}"

    def words(self) -> tuple[str, list[str]]:
        program = shutil.which("memcached")
        assert program, "memcached is missing: apt install memcached, or ./run test"
        words = ["memcached", "-l", "127.0.0.1", "-p", str(self.port), "-U", "0", "-m", "32"]
        return program, [*words, "-u", "nobody"] if os.getuid() == 0 else words

    def answers(self) -> bool:
        return self.ask(b"version\r\n").startswith(b"VERSION")


class PostgresServer(Server):
    """PostgreSQL; anybody may be `guava`. It refuses to run as root, and is Debian's then."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.url = f"postgresql+psycopg://guava@127.0.0.1:{self.port}/postgres"
        # Debian keeps each version's programs in a folder of its own, outside of PATH.
        found = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
        on_path = shutil.which("initdb")
        found += [] if on_path is None else [Path(on_path).resolve().parent]
        found = [folder for folder in found if (folder / "initdb").exists()]
        assert found, "PostgreSQL's server is missing: apt install postgresql, or ./run test"
        self.programs = found[0]
        if os.getuid() == 0:
            os.chown(folder, self.user().pw_uid, self.user().pw_gid)
        initdb = [self.programs / "initdb", "-D", folder / "data", "-U", "guava", "-A", "trust"]
        self.call(*initdb, "-N", "-E", "UTF8", "--no-locale").check_returncode()

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

    def call(self, *command: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(  # type: ignore[call-overload,no-any-return]
            [str(word) for word in command],
            capture_output=True,
            cwd=self.folder,
            env=ENVIRONMENT,
            timeout=120,
            **self.owner(),
        )

    def words(self) -> tuple[str, list[str]]:
        # It looks for itself by its first word, in PATH if that is no path; Debian's is not there.
        program = str(self.programs / "postgres")
        words = [program, "-D", str(self.folder / "data"), "-p", str(self.port)]
        for setting in (
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={self.folder}",
            "max_connections=50",
        ):
            words += ["-c", setting]
        return program, words

    def answers(self) -> bool:
        ready = (self.programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", self.port)
        return self.call(*ready).returncode == 0

    def stop(self, sent: int = signal.SIGINT) -> None:
        super().stop(sent)  # its "fast" end: connections are cut


def _served(kind: type[Server]) -> Iterator[Server]:
    # Not pytest's folder: another user shall reach it, and a unix socket's path is short.
    with tempfile.TemporaryDirectory(prefix="guava-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)
        server = kind(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Server]:
    yield from _served(RedisServer)


@pytest.fixture(scope="session")
def memcached_server() -> Iterator[Server]:
    yield from _served(MemcachedServer)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    yield from _served(PostgresServer)


@pytest.fixture
def serve() -> Iterator[Callable[[str], Server]]:
    """Starts a server for one test, which may do with it what it likes."""
    kinds = {"Redis": RedisServer, "memcached": MemcachedServer, "PostgreSQL": PostgresServer}
    with contextlib.ExitStack() as stack:
        yield lambda name: stack.enter_context(contextlib.contextmanager(_served)(kinds[name]))
