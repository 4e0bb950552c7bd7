"""Random paths never open anything but the files of the directory.

Beside the directory lie canaries, and in it everything that leads out: links, loops, devices. What
is opened is known by its device and inode, not by its name or content.

GUAVA_SEED=n repeats a run; GUAVA_REPEAT=n makes it n times as long (tox -e fuzz-static).
"""

import os
import random
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote
from wsgiref.util import setup_testing_defaults

import pytest
from guava_router import Answer, FileDecision, Listing, RedirectHandler, StaticRouter
from guava_router import static as static_module
from guava_router._core import _open_walking

PATHS = 4000 * int(os.environ.get("GUAVA_REPEAT", "1"))
SEED = int(os.environ.get("GUAVA_SEED", "20141"))
CANARY = b"canary: nobody may read this"
Identity = tuple[int, int]


class Site:
    """A directory with what can be asked for, and all around it what cannot."""

    def __init__(self, base: Path) -> None:
        self.root = base / "site"
        self.inside: set[Identity] = set()
        (self.root / "css").mkdir(parents=True)
        (self.root / "a b").mkdir()
        (self.root / ".well-known").mkdir()
        (self.root / ".git").mkdir()
        (self.root / "deep" / "er" / "est").mkdir(parents=True)
        for name in (
            "index.html", "hello.txt", "hello.txt.gz", "css/app.3f2a9c1b.css", "a b/\u00e4%.txt",
            ".well-known/security.txt", "deep/er/est/index.html", "%2e%2e", "..;", "...",
            "css/%2e", "C:", "~",
        ):  # fmt: skip
            self._put(self.root / name, b"inside " + name.encode())
        self.hidden = {
            self._put(self.root / name, CANARY)
            for name in (".env", ".git/config", "css/.htpasswd", "con", "NUL.txt", "css/com1.css")
        }
        # Beside it, and with a name that begins as its own does.
        for name in ("secret.txt", "site-old/secret.txt", "sit/secret.txt", "index.html", "e"):
            (base / name).parent.mkdir(exist_ok=True)
            (base / name).write_bytes(CANARY)
        for name, target in {
            "out": "../secret.txt",
            "out.txt.gz": "../secret.txt",
            "hello.txt.br": "../secret.txt",
            "css/out": "../../site-old",
            "abs": str(base / "secret.txt"),
            "top": "/",
            "up": "..",
            "here": ".",
            "loop": "loop",
            "proc": "/proc/self/root",
            "null": "/dev/null",
            "good": "hello.txt",
            "deep/index.html": "../../index.html",
        }.items():
            (self.root / name).symlink_to(target)
        os.mkfifo(self.root / "fifo")

    def _put(self, path: Path, content: bytes) -> Identity:
        path.write_bytes(content)
        info = path.stat()
        if content != CANARY:
            self.inside.add((info.st_dev, info.st_ino))
        return info.st_dev, info.st_ino


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("fuzz"))


ATOMS = (
    "/", "//", ".", "..", "...", "../", "/..", "/../", "..\\", "\\", "..;/", "%2e", "%2E%2e/",
    "%2f", "%5c", "%252e%252e%252f", "%25", "\0", "%00", "\n", "\r\n", "\t", "\x7f", "\x85",
    " ", "+", "~", "\uff0e", "\uff0f", "\u2215", "\u2024", "\u202e", "\udcc0\udcae", "\udc2e",
    "\ud800", "%c0%ae", "%c0%af", "%e0%80%ae", "%f0%80%80%ae", "\u00c0\u00ae", "\u00e4",
    "a\u0308", "con", "NUL", "nul.txt", "COM1", "aux", "lpt\u00b9", "::$DATA", ":", "C:",
    "C:\\", "file:", "|", "index.html", "hello.txt", ".gz", ".br", "css", "app.3f2a9c1b.css",
    "a b", "\u00e4%.txt", "deep", "er", "est", ".well-known", "security.txt", ".git", "config",
    ".env", ".htpasswd", "out", "abs", "up", "here", "top", "loop", "proc", "null", "fifo",
    "good", "secret.txt", "site", "site-old", "sit", "etc", "passwd", "e", "static", "x" * 255,
    "x" * 256, "a/" * 2100, "../" * 40,
)  # fmt: skip


def paths(dice: random.Random, n: int) -> Iterator[str]:
    """Names put together, true paths that are damaged, and decoded once or twice or not at all."""
    known = [
        "/hello.txt",
        "/css/app.3f2a9c1b.css",
        "/a b/\u00e4%.txt",
        "/deep/er/est/",
        "/",
        "/css/",
        "/css",
    ]
    for _ in range(n):
        if dice.random() < 0.6:
            path = "".join(dice.choice(ATOMS) for _ in range(dice.randint(1, 8)))
            if dice.random() < 0.5:
                path = "/".join(dice.choice(ATOMS) for _ in range(dice.randint(1, 6)))
        else:
            path = dice.choice(known)
            for _ in range(dice.randint(0, 3)):
                at = dice.randrange(len(path) + 1)
                path = path[:at] + dice.choice(ATOMS) + path[at + dice.randint(0, 2) :]
        for _ in range(dice.choice((0, 0, 0, 1, 2))):
            path = unquote(path, errors=dice.choice(("replace", "surrogateescape")))
        yield path if dice.random() < 0.2 else "/" + path


def headers(dice: random.Random) -> list[tuple[str, str]]:
    fields = []
    if dice.random() < 0.5:
        fields.append(("Accept-Encoding", dice.choice(("gzip, br, zstd", "*", "identity"))))
    if dice.random() < 0.3:
        fields.append(("Range", dice.choice(("bytes=0-3", "bytes=-3,0-0", "bytes=99-"))))
    return fields


POLICIES: list[dict[str, Any]] = [
    {},
    {"follow_symlinks": True},
    {"allow_dotfiles": True, "allow_device_names": True},
    {"follow_symlinks": True, "allow_dotfiles": True, "allow_device_names": True},
]


@pytest.fixture(params=["kernel", "walking"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How files are opened: as on Linux 5.6, or as elsewhere."""
    if request.param == "walking":
        monkeypatch.setattr(static_module, "open_beneath", _open_walking)
    return str(request.param)


class Judge:
    """Looks at everything that a router opens, by its descriptor."""

    def __init__(self, site: Site, monkeypatch: pytest.MonkeyPatch, hidden: bool) -> None:
        self.allowed = site.inside | (site.hidden if hidden else set())
        self.root = os.stat(site.root).st_dev
        self.directories = {
            (info.st_dev, info.st_ino)
            for folder, _, _ in os.walk(site.root)
            for info in [os.stat(folder)]
        }
        self.opened = 0
        real: Callable[..., int] = static_module.open_beneath

        def judged(*args: Any) -> int:
            fd = real(*args)
            info = os.fstat(fd)
            found = info.st_dev, info.st_ino
            if stat.S_ISDIR(info.st_mode):
                assert found in self.directories, args
            elif stat.S_ISREG(info.st_mode):
                assert found in site.inside | site.hidden, args
            else:
                assert info.st_dev == self.root, args  # the FIFO, which is not read
            self.opened += 1
            return fd

        monkeypatch.setattr(static_module, "open_beneath", judged)

    def look(self, answer: FileDecision | Answer, path: str) -> str:
        if isinstance(answer, FileDecision):
            with answer:
                info = os.fstat(answer.file.fd)
                assert stat.S_ISREG(info.st_mode)
                assert (info.st_dev, info.st_ino) in self.allowed, path
                body = b"".join(answer.chunks())
                assert len(body) == answer.length
            return str(answer.status)
        if isinstance(answer, RedirectHandler):
            assert answer.location[:1] == "/" != answer.location[1:2], path
            assert answer.location.isascii() and answer.location.isprintable()
        if isinstance(answer, Listing):
            assert not {"out", "abs", "up", "null"} & {entry.name for entry in answer.entries}
        assert CANARY not in answer.body
        return type(answer).__name__


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: "+".join(policy) or "plain")
def test_nothing_outside_is_opened(
    site: Site, policy: dict[str, Any], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = Judge(site, monkeypatch, hidden="allow_dotfiles" in policy)
    dice = random.Random(f"{SEED} {policy} {way}")
    router = StaticRouter("/", site.root, True, precompressed=True, **policy)
    seen: dict[str, int] = {}
    before = len(os.listdir("/dev/fd"))
    for path in paths(dice, PATHS):
        kind = judge.look(router.decide("GET", path, headers(dice)), path)
        seen[kind] = seen.get(kind, 0) + 1
    assert len(os.listdir("/dev/fd")) == before
    # The dice do find the files, or all of this would prove nothing.
    assert {"200", "206", "416", "NotFound", "SlashRedirect", "Listing"} <= set(seen), seen
    assert judge.opened > PATHS // 50


def test_nothing_outside_is_sent(site: Site) -> None:
    """The same as a WSGI application, with paths as they come off the wire."""
    dice = random.Random(SEED)
    app = StaticRouter("/static", site.root, True, precompressed=True).as_wsgi()
    statuses = set()
    for path in paths(dice, PATHS // 4):
        raw = quote(path, safe="/%", errors="surrogatepass") if dice.random() < 0.7 else path
        info = unquote("/static" + raw, "latin-1")
        environ: dict[str, Any] = {"PATH_INFO": info.encode("utf-8", "replace").decode("latin-1")}
        setup_testing_defaults(environ)
        sent: list[Any] = []
        result = app(environ, lambda *given, to=sent: to.extend(given))  # type: ignore[misc]
        body = b"".join(result)
        if hasattr(result, "close"):
            result.close()
        assert CANARY not in body, info
        statuses.add(sent[0][:3])
    assert {"200", "301", "404"} <= statuses


def test_a_directory_that_changes_under_the_feet(tmp_path: Path) -> None:
    """A folder becomes a link out of the directory and a folder again, while it is asked for."""
    site = Site(tmp_path)
    other, folder = site.root / "other", site.root / "css"
    other.symlink_to("../site-old")
    (tmp_path / "site-old" / "app.3f2a9c1b.css").write_bytes(CANARY)
    stop = threading.Event()

    def exchange() -> None:
        spare = site.root / "spare"
        while not stop.is_set():
            folder.rename(spare)
            other.rename(folder)
            folder.rename(other)
            spare.rename(folder)
            stop.wait(0.0001)  # or it would spin

    thread = threading.Thread(target=exchange, daemon=True)
    thread.start()
    found = set()
    try:
        for follow in (False, True):
            router = StaticRouter("/", site.root, follow_symlinks=follow)
            for _ in range(PATHS // 8):
                answer = router.decide("GET", "/css/app.3f2a9c1b.css")
                if isinstance(answer, FileDecision):
                    with answer:
                        info = os.fstat(answer.file.fd)
                        assert (info.st_dev, info.st_ino) in site.inside
                found.add(type(answer))
    finally:
        stop.set()
        thread.join(60)
    assert FileDecision in found
