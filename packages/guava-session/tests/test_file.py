"""FileStore: names, modes, folders it refuses, files it does not believe, and its sweeper."""

import errno
import fcntl
import hashlib
import logging
import os
import resource
import shutil
import signal
import stat
import tempfile
import threading
from pathlib import Path

import pytest
from guava_session import FileStore, Keys, SessionManager, generate_id, seal
from guava_session.directory import default_directory

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


class Clock:
    def __init__(self):
        self.now = 1_700_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "sessions"


@pytest.fixture
def store(folder, clock):
    with FileStore(folder, lifetime=100, clock=clock) as made:
        yield made


def path_of(store, sid):
    """Where the documentation says the file is."""
    name = hashlib.sha256(sid.encode()).hexdigest()
    return store.directory / name[0] / name[1] / name


def files_in(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "key")


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


# Names and modes.


def test_where_a_session_lies(store, folder):
    sid = generate_id()
    store.set(sid, {"a": 1})
    assert files_in(folder) == [path_of(store, sid)]
    everything = "".join(str(path) for path in folder.rglob("*"))
    assert sid not in everything
    assert sid.encode() not in path_of(store, sid).read_bytes()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_nobody_else_may_look(folder, umask):
    before = os.umask(umask)
    try:
        with FileStore(folder) as store:
            sid = generate_id()
            store.set(sid, {"a": 1})
            store.merge(sid, {"a": 2})
    finally:
        os.umask(before)
    for path in [folder, *folder.rglob("*")]:
        assert mode(path) == (0o700 if path.is_dir() else 0o600), path


def test_descriptors_do_not_leak(folder, monkeypatch):
    def count():
        return len(os.listdir("/dev/fd"))

    before = count()
    store = FileStore(folder)
    sid = generate_id()
    for _ in range(50):
        store.set(sid, {"a": 1})
        store.get(sid)
        store.touch(sid)
        store.merge(sid, {"b": 1})
        store.take(sid)
        store.clear()
    real = os.write
    monkeypatch.setattr(os, "write", lambda *args: (_ for _ in ()).throw(OSError(5, "broken")))
    for _ in range(10):
        with pytest.raises(OSError, match="broken"):
            store.set(sid, {"a": 1})
    monkeypatch.setattr(os, "write", real)
    store.close()
    store.close()
    assert count() == before
    with pytest.raises(OSError):
        store.get(sid)
    FileStore(folder)  # and dropped
    assert count() == before


# Ids.

BAD_IDS = [
    "",
    "short",
    "../../../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "A" * 42,
    "A" * 44,
    "A" * 42 + "/",
    "A" * 42 + "\0",
    "A" * 42 + "\n",
    "key",
    ".",
    "A" * 42 + "é",
    None,
    5,
    b"A" * 43,
]


@pytest.mark.parametrize("sid", BAD_IDS)
def test_an_id_that_it_did_not_shape_is_refused(store, folder, sid):
    with pytest.raises(ValueError, match="not a session id"):
        store.set(sid, {"a": 1})
    assert store.get(sid) is None
    assert store.take(sid) is None
    assert not store.merge(sid, {"a": 1}) and not store.touch(sid)
    store.delete(sid)
    if sid is not None:
        store.clear(sid)
    assert files_in(folder) == []


# Folders.


def test_it_makes_the_folder_and_those_above(tmp_path):
    with FileStore(tmp_path / "a" / "b" / "c") as store:
        assert mode(store.directory) == 0o700


@pytest.mark.parametrize("wrong", [0o755, 0o770, 0o701, 0o777, 0o1777, 0o740])
def test_a_folder_that_others_may_enter_is_refused(folder, wrong):
    folder.mkdir()
    folder.chmod(wrong)
    with pytest.raises(PermissionError, match=f"lets others in; run: chmod 700 {folder}"):
        FileStore(folder)
    assert os.listdir(folder) == []


@as_root
def test_a_folder_of_another_user_is_refused(folder):
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, -1)
    with pytest.raises(PermissionError, match="belongs to user 12345"):
        FileStore(folder)


@pytest.mark.parametrize("shared", ["/tmp", "/var/tmp", "/dev/shm", tempfile.gettempdir()])
def test_a_shared_temporary_folder_is_refused(shared):
    if not os.path.isdir(shared):
        return  # this system has no such folder to protect
    with pytest.raises(PermissionError, match="shared temporary directory"):
        FileStore(shared)


def test_a_temporary_folder_is_refused_even_if_it_is_private(folder, monkeypatch):
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with pytest.raises(PermissionError, match="shared temporary directory"):
        FileStore(folder)
    FileStore(folder / "mine").close()


def test_a_link_is_no_folder(tmp_path):
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(PermissionError, match="not a directory"):
        FileStore(tmp_path / "link")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    with pytest.raises(PermissionError, match="not a directory"):
        FileStore(tmp_path / "dangling")
    assert not (tmp_path / "nothing").exists()


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PermissionError, match="not a directory"):
        FileStore(tmp_path / "file")


def test_the_default_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "shop").mkdir()
    (tmp_path / "blog").mkdir()
    monkeypatch.chdir(tmp_path / "shop")
    shop = default_directory()
    assert shop.parent == tmp_path / "state" / "guava" / "sessions"
    assert shop.name.startswith("shop-")
    with FileStore() as store:
        assert store.directory == shop and mode(shop) == 0o700
    monkeypatch.chdir(tmp_path / "blog")
    assert default_directory() != shop
    for unusable in ("", "relative"):  # the specification: a relative path is to be ignored
        monkeypatch.setenv("XDG_STATE_HOME", unusable)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        assert default_directory().parent == tmp_path / "home/.local/state/guava/sessions"


def test_a_folder_that_is_moved_away_does_not_redirect_it(store, folder, tmp_path):
    sid = generate_id()
    store.set(sid, {"a": 1})
    folder.rename(tmp_path / "elsewhere")
    trap = tmp_path / "trap"
    trap.mkdir(mode=0o700)
    folder.symlink_to(trap)
    store.set(sid, {"a": 2})
    assert store.get(sid) == {"a": 2}
    assert os.listdir(trap) == []


def test_a_folder_that_is_deleted_under_it_is_made_again(store, folder):
    sid = generate_id()
    store.set(sid, {"a": 1})
    shutil.rmtree(folder)
    assert store.get(sid) is None
    assert not store.merge(sid, {"a": 1}) and not store.touch(sid)
    store.delete(sid)
    store.clear()
    store.set(sid, {"a": 2})
    assert store.get(sid) == {"a": 2}
    assert mode(folder) == 0o700
    with FileStore(folder, clock=store._clock) as other:
        assert other.get(sid) == {"a": 2}


# The key.


def test_the_key_is_made_once(folder):
    with FileStore(folder) as one, FileStore(folder) as two:
        sid = generate_id()
        one.set(sid, {"a": 1})
        assert two.get(sid) == {"a": 1}
    assert mode(folder / "key") == 0o600 and (folder / "key").stat().st_size == 32
    with FileStore(folder) as again:
        assert again.get(sid) == {"a": 1}
    assert [path.name for path in folder.iterdir() if path.is_file()] == ["key"]


def test_a_given_key_is_not_written_down(folder):
    key = b"k" * 32
    with FileStore(folder, key=key) as store:
        sid = generate_id()
        store.set(sid, {"a": 1})
    assert not (folder / "key").exists()
    with FileStore(folder, key=key) as store:
        assert store.get(sid) == {"a": 1}
    with pytest.raises(ValueError, match="31 bytes is too short; 32 are needed"):
        FileStore(folder, key=b"k" * 31)


def test_without_the_key_nothing_can_be_forged(folder, caplog):
    sid = generate_id()
    with FileStore(folder, key=b"k" * 32) as store:
        store.set(sid, {"user": "anna"})
    with FileStore(folder, key=b"x" * 32) as store:
        assert store.get(sid) is None
    assert "not signed with this store's key" in caplog.text


def test_a_key_file_that_is_not_private_is_refused(folder, tmp_path):
    FileStore(folder).close()
    (folder / "key").chmod(0o644)
    with pytest.raises(PermissionError, match="mode 0600"):
        FileStore(folder)
    (folder / "key").unlink()
    (tmp_path / "key").write_bytes(bytes(32))
    (tmp_path / "key").chmod(0o600)
    (folder / "key").symlink_to(tmp_path / "key")
    with pytest.raises(PermissionError, match="link"):
        FileStore(folder)


@pytest.mark.parametrize("size", [0, 31, 33, 1000])
def test_a_key_file_of_another_size_is_refused(folder, size):
    FileStore(folder).close()
    (folder / "key").write_bytes(bytes(size))
    with pytest.raises(ValueError, match="does not hold a key of 32 bytes; delete it"):
        FileStore(folder)


# Files that are not believed.


def plant_cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def plant_empty(path):
    path.write_bytes(b"")


def plant_text(path):
    path.write_bytes(b"x" * 200)


def plant_flip(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def plant_large(path):
    os.truncate(path, 1 << 30)  # a hole: it takes no room, but reading it would


def plant_link(path):
    moved = path.with_name("moved")
    path.rename(moved)
    path.symlink_to(moved)


def plant_dangling_link(path):
    path.unlink()
    path.symlink_to("/nonexistent/file")


def plant_directory(path):
    path.unlink()
    path.mkdir(mode=0o700)


def plant_pipe(path):
    path.unlink()
    os.mkfifo(path, 0o600)


def plant_mode(path):
    path.chmod(0o644)


PLANTS = [
    plant_cut,
    plant_empty,
    plant_text,
    plant_flip,
    plant_large,
    plant_link,
    plant_dangling_link,
    plant_directory,
    plant_pipe,
    plant_mode,
]


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_or_damaged_file_is_no_session(store, caplog, plant):
    sid = generate_id()
    store.set(sid, {"user": "anna"})
    path = path_of(store, sid)
    plant(path)
    with caplog.at_level(logging.WARNING, "guava.session"):
        assert store.get(sid) is None
    assert path.name in caplog.text and sid not in caplog.text
    assert not store.merge(sid, {"a": 1}) and not store.touch(sid)
    # The visitor goes on, under another id.
    manager = SessionManager(store)
    session = manager.open(sid)
    session["a"] = 1
    cookie = manager.commit(session)
    assert cookie.value != sid and manager.open(cookie.value)["a"] == 1


@pytest.mark.parametrize("plant", [p for p in PLANTS if p is not plant_directory])
def test_a_planted_file_is_replaced_by_a_real_one(store, plant, tmp_path):
    sid = generate_id()
    store.set(sid, {"user": "anna"})
    plant(path_of(store, sid))
    store.set(sid, {"user": "bert"})
    assert store.get(sid) == {"user": "bert"}
    assert stat.S_ISREG(path_of(store, sid).lstat().st_mode)
    store.delete(sid)
    assert not os.path.lexists(path_of(store, sid))


def test_a_link_in_the_place_of_a_session_is_not_written_through(store, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    sid = generate_id()
    store.set(sid, {"a": 1})
    path_of(store, sid).unlink()
    path_of(store, sid).symlink_to(victim)
    store.set(sid, {"a": 2})
    store.delete(sid)
    assert victim.read_text() == "precious"


def test_a_link_in_the_place_of_an_inner_folder_is_not_written_through(store, tmp_path):
    sid = generate_id()
    store.set(sid, {"a": 1})
    place = path_of(store, sid).parent
    trap = tmp_path / "trap"
    trap.mkdir(mode=0o700)
    shutil.rmtree(place)
    place.symlink_to(trap)
    with pytest.raises(OSError):
        store.set(sid, {"a": 2})
    assert os.listdir(trap) == []


@as_root
def test_a_file_of_another_user_is_no_session(store, caplog):
    sid = generate_id()
    store.set(sid, {"user": "anna"})
    os.chown(path_of(store, sid), 12345, -1)
    assert store.get(sid) is None
    assert "not a private file of ours" in caplog.text


def test_one_sessions_file_under_anothers_name(store, caplog):
    anna, eve = generate_id(), generate_id()
    store.set(anna, {"user": "anna"})
    store.set(eve, {"user": "eve"})
    shutil.copy2(path_of(store, anna), path_of(store, eve))
    assert store.get(eve) is None
    assert "not signed" in caplog.text
    assert store.get(anna) == {"user": "anna"}


def test_an_old_file_that_is_put_back_has_still_expired(store, clock):
    sid = generate_id()
    store.set(sid, {"user": "anna"})
    blob = path_of(store, sid).read_bytes()
    clock.now += 100
    path_of(store, sid).write_bytes(blob)
    os.utime(path_of(store, sid), (clock.now, clock.now))
    assert store.get(sid) is None


def test_another_serializers_file(store, caplog):
    class Text:
        def dumps(self, record):
            return repr(record).encode()

        def loads(self, data):
            raise ValueError("no")

    sid = generate_id()
    with FileStore(store.directory, serializer=Text(), clock=store._clock) as other:
        other.set(sid, {"a": 1})
    assert store.get(sid) is None
    assert "does not suit the serializer" in caplog.text


def test_an_unreadable_disk_is_no_empty_session(store, monkeypatch):
    sid = generate_id()
    store.set(sid, {"a": 1})

    def broken(*args):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "read", broken)
    with pytest.raises(OSError, match="Input/output"):
        store.get(sid)


# Sizes and full disks.


def test_a_session_that_is_too_large_is_refused(folder):
    with FileStore(folder, max_value_bytes=1000) as store:
        sid = generate_id()
        store.set(sid, {"a": "x" * 992})
        with pytest.raises(ValueError, match="1001 bytes is more than max_value_bytes"):
            store.set(sid, {"a": "x" * 993})
        with pytest.raises(ValueError, match="more than max_value_bytes"):
            store.merge(sid, {"b": 1})
        assert store.get(sid) == {"a": "x" * 992}


def test_a_disk_that_gets_full_while_writing(store, folder):
    """A real limit of the system, in a process of its own: the file may not grow beyond it."""
    sid = generate_id()
    store.set(sid, {"a": "small"})
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
            for call in (store.set, store.merge):
                try:
                    call(sid, {"a": "x" * 50000})
                except OSError as error:
                    assert error.errno == errno.EFBIG
                else:
                    raise AssertionError("it was written")
            manager = SessionManager(store)
            session = manager.open(None)
            session["a"] = "x" * 50000
            assert manager.commit(session) is None
            assert session.save_error.errno == errno.EFBIG
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    assert store.get(sid) == {"a": "small"}
    assert files_in(folder) == [path_of(store, sid)]  # no half of a file stays behind


def test_short_writes_are_continued(store, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:7]))
    sid = generate_id()
    store.set(sid, {"a": "x" * 100})
    assert store.get(sid) == {"a": "x" * 100}


def test_fsync_reaches_the_file_and_the_folder(folder, monkeypatch):
    kinds = []
    real = os.fsync

    def fsync(fd):
        kinds.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    with FileStore(folder, key=b"k" * 32, fsync=True) as store:
        store.set(generate_id(), {"a": 1})
    assert kinds == ["file", "folder"]
    with FileStore(folder, key=b"k" * 32) as store:
        store.set(generate_id(), {"a": 1})
    assert kinds == ["file", "folder"]


def test_touch_writes_only_when_a_tenth_of_the_lifetime_is_gone(store, clock):
    sid = generate_id()
    store.set(sid, {"a": 1})
    inode = path_of(store, sid).stat().st_ino
    clock.now += 10
    assert store.touch(sid)
    assert path_of(store, sid).stat().st_ino == inode
    clock.now += 1
    assert store.touch(sid)
    assert path_of(store, sid).stat().st_ino != inode
    clock.now += 99
    assert store.get(sid) == {"a": 1}


def test_a_session_that_never_expires(folder, clock):
    with FileStore(folder, lifetime=float("inf"), clock=clock) as store:
        sid = generate_id()
        store.set(sid, {"a": 1})
        clock.now *= 1000
        assert store.touch(sid) and store.get(sid) == {"a": 1}


# The sweeper.


def test_the_sweeper_removes_what_expired_and_nothing_else(store, folder, clock):
    old = [generate_id() for _ in range(50)]
    for sid in old:
        store.set(sid, {"a": 1})
    clock.now += 100
    new = [generate_id() for _ in range(50)]
    for sid in new:
        store.set(sid, {"a": 1})
    store.sweep(256 + 512)
    assert {path.name for path in files_in(folder)} == {path_of(store, sid).name for sid in new}
    assert all(store.get(sid) == {"a": 1} for sid in new)


def test_writing_is_enough_to_keep_the_folder_small(folder, clock):
    """Ten generations of sessions, and nobody ever called sweep()."""
    with FileStore(folder, lifetime=100, clock=clock) as store:
        for _ in range(3000):
            store.set(generate_id(), {"a": 1})
            clock.now += 100 / 300
        # 300 are alive at a time; a round looks at every file and folder at two steps a write.
        assert len(files_in(folder)) < 300 + (3000 + 512) / 3


def test_a_step_is_bounded(store, clock, monkeypatch):
    for _ in range(200):
        store.set(generate_id(), {"a": 1})
    clock.now += 100
    calls = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda *args, **kw: calls.append(args) or real(*args, **kw))
    for _ in range(400):
        calls.clear()
        store.sweep(1)
        # A folder; the file; for a removal the folder again, locked, and the file once more.
        assert len(calls) <= 4


def test_what_one_call_costs(store, monkeypatch):
    """In system calls, as the documentation of performance counts them."""
    calls = []

    def count(module, name):
        real = getattr(module, name)

        def call(*args, **kwargs):
            calls.append(name)
            return real(*args, **kwargs)

        monkeypatch.setattr(module, name, call)

    for name in ("open", "close", "fstat", "read", "write", "rename", "mkdir", "unlink", "stat"):
        count(os, name)
    count(os, "geteuid")
    count(fcntl, "flock")
    monkeypatch.setattr(store, "sweep", lambda steps: 0)
    sid = generate_id()
    write = ["open", "write", "close", "rename"]
    store.set(sid, {"a": 1})
    assert calls == ["open", "mkdir", "mkdir", "open", "flock", *write, "close"]
    for call, expected in (
        (lambda: store.get(sid), ["open", "fstat", "geteuid", "read", "close"]),
        (lambda: store.get(generate_id()), ["open"]),
        (lambda: store.get("no id"), []),
        (lambda: store.set(sid, {"a": 2}), ["open", "flock", *write, "close"]),
        (
            lambda: store.merge(sid, {"b": 2}),
            ["open", "flock", "open", "fstat", "geteuid", "read", "close", *write, "close"],
        ),
        (lambda: store.delete(sid), ["open", "flock", "unlink", "close"]),
    ):
        calls.clear()
        call()
        assert calls == expected


def test_the_sweeper_leaves_others_files_alone(store, folder, clock):
    sid = generate_id()
    store.set(sid, {"a": 1})
    place = path_of(store, sid).parent
    (place / "notes").write_text("not a session, and long enough to be read as one")
    (place / "notes").chmod(0o600)
    (place / "link").symlink_to("/etc/passwd")
    future = bytearray(path_of(store, sid).read_bytes())
    future[4] = 2
    (place / ("f" * 64)).write_bytes(future)
    (place / ("f" * 64)).chmod(0o600)
    clock.now += 1e9
    store.sweep(600)
    assert sorted(os.listdir(place)) == sorted(["notes", "link", "f" * 64])
    assert (folder / "key").exists()


def test_the_sweeper_removes_what_a_power_cut_left(store):
    sid = generate_id()
    store.set(sid, {"a": 1})
    place = path_of(store, sid).parent
    for name in ("0" * 64, ".0123456789abcdef"):
        (place / name).write_bytes(b"")
        (place / name).chmod(0o600)
    assert store.sweep(600) == 2
    assert store.get(sid) == {"a": 1} and os.listdir(place) == [path_of(store, sid).name]


def test_the_sweeper_does_not_touch_what_somebody_is_writing(store, clock):
    sid = generate_id()
    store.set(sid, {"a": 1})
    clock.now += 100
    with store._locked(path_of(store, sid).name) as leaf:
        temporary = path_of(store, sid).with_name(".half")
        temporary.write_bytes(b"half")
        assert store.sweep(600) == 0
        assert temporary.exists() and leaf is not None
    assert store.sweep(600) == 2


def test_a_file_that_is_renewed_while_the_sweeper_looks_at_it_stays(store, clock, monkeypatch):
    sid = generate_id()
    store.set(sid, {"a": 1})
    clock.now += 100
    real = store._is_garbage
    answers = []

    def is_garbage(path, dir_fd):
        answers.append(real(path, dir_fd))
        if len(answers) == 1:  # it looks expired; then another process saves it
            with FileStore(store.directory, lifetime=100, clock=clock) as other:
                monkeypatch.setattr(other, "sweep", lambda steps: 0)
                other.set(sid, {"a": 2})
        return answers[-1]

    monkeypatch.setattr(store, "_is_garbage", is_garbage)
    assert store.sweep(300) == 0
    assert answers[:2] == [True, False]
    assert store.get(sid) == {"a": 2}


def test_a_failing_sweeper_does_not_fail_the_request(store, monkeypatch, caplog):
    def broken(*args):
        raise OSError(errno.EIO, "Input/output error")

    store.set(generate_id(), {"a": 1})
    store._walk = None
    monkeypatch.setattr(os, "scandir", broken)
    for _ in range(200):
        store.set(generate_id(), {"a": 1})
    assert "the sweeper of" in caplog.text


def test_many_threads(store):
    sid = generate_id()
    store.set(sid, {})
    errors = []

    def work(number):
        try:
            for turn in range(40):
                assert store.merge(sid, {f"{number}.{turn}": turn})
                assert store.get(sid)[f"{number}.{turn}"] == turn
                store.set(generate_id(), {"a": turn})
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(store.get(sid)) == 6 * 40


def test_the_documented_layout_of_the_format(store, clock):
    sid = generate_id()
    store.set(sid, {"a": 1})
    blob = path_of(store, sid).read_bytes()
    key = (store.directory / "key").read_bytes()
    expires, payload = seal.unseal([key], path_of(store, sid).name, blob)
    assert (expires, payload) == (int((clock.now + 100) * 1000), b'{"a":1}')
    assert Path(store.directory).is_absolute()


def test_keys_are_changed_while_sessions_live(folder):
    old, new = b"o" * 32, b"n" * 32
    first, second = generate_id(), generate_id()
    with FileStore(folder, key=old) as store:
        store.set(first, {"a": 1})
        store.set(second, {"b": 1})
    with FileStore(folder, key=Keys([new, old])) as store:
        assert store.get(first) == {"a": 1} and store.get(second) == {"b": 1}
        assert store.merge(first, {"a": 2})  # signed by the new one
    with FileStore(folder, key=[new]) as store:
        assert store.get(first) == {"a": 2} and store.get(second) is None
    # The folder's own key is moved in the same way.
    with FileStore(folder / "own") as store:
        sid = generate_id()
        store.set(sid, {"c": 1})
    own = (folder / "own" / "key").read_bytes()
    with FileStore(folder / "own", key=[new, own]) as store:
        assert store.get(sid) == {"c": 1}


def test_a_key_that_is_none_is_refused(folder):
    for key, problem in ((b"k" * 31, ValueError), ("k" * 32, TypeError), ([], ValueError)):
        with pytest.raises(problem, match="key"):
            FileStore(folder, key=key)
