"""The tests that a session store must pass: for stores of your own, and all of this package's.

    from guava_session.testing import Clock, StoreConformance

    class TestMyStore(StoreConformance):
        def make(self, lifetime, clock):
            return MyStore("an address", lifetime=lifetime)

A store whose methods are ``async def`` is tested by the same class.

pytest finds its methods; without pytest, ``python -m guava_session.testing mymodule:TestMyStore``
runs them and says which failed. It needs nothing but this package.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
import time
import traceback
import unittest
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from .manager import SessionManager
from .steps import call, drive
from .store import SessionStore

LIFETIME = 100.0


class Clock:
    """Seconds since 1970 that a test moves."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class StoreConformance:
    """Derive from it, write `make`, and run it with pytest or as this module says."""

    #: Whether the stores follow the clock that make() is given. Others are waited for.
    follows_clock = False
    #: Whether merge() and take() are atomic: no update of a parallel thread is lost.
    atomic = False
    #: Whether clear(sid) leaves a session that is there, but empty.
    clears_one = True

    def make(self, lifetime: float, clock: Callable[[], float]) -> SessionStore:
        """An empty store whose sessions live for lifetime seconds."""
        raise NotImplementedError("write make(self, lifetime, clock): it gives an empty store")

    def reopen(self, store: SessionStore, clock: Callable[[], float]) -> SessionStore:
        """A second store on the same place, as another process has it. Without it those tests are
        skipped."""
        raise unittest.SkipTest("this store has no reopen(): it is in one process only")

    # What a store must do.

    def test_what_is_set_is_there(self) -> None:
        with self._store() as (store, _):
            one, two = store.generate_id(), store.generate_id()
            assert store.get(one) is None or store.get(one) == {}
            store.set(one, {"user": "anna", "n": [1, {"a": None}]})
            store.set(two, {"user": "bert"})
            assert store.get(one) == {"user": "anna", "n": [1, {"a": None}]}
            store.set(one, {"user": "carl"})
            assert store.get(one) == {"user": "carl"}, "set() replaces what was there"
            assert store.get(two) == {"user": "bert"}, "sessions are apart"

    def test_what_is_deleted_is_gone(self) -> None:
        with self._store() as (store, _):
            one, two = store.generate_id(), store.generate_id()
            store.set(one, {"a": 1})
            store.set(two, {"a": 2})
            store.delete(one)
            store.delete(one)
            assert not store.get(one)
            assert store.get(two) == {"a": 2}

    def test_values_come_back_as_they_were(self) -> None:
        values = {
            "none": None,
            "bools": [True, False],
            "ints": [0, -1, 2**53],
            "float": 0.1,
            "text": "ü日本😀\0\n\"\\'%; DROP TABLE",
            "nested": {"a": {"b": [[], {}, ""]}},
            "long": "x" * 100_000,
        }
        with self._store() as (store, _):
            sid = store.generate_id()
            store.set(sid, values)
            found = store.get(sid)
            assert found is not None
            # With their types: 1, True and 1.0 are equal. The order of keys is not promised.
            assert repr(sorted(found.items())) == repr(sorted(values.items()))

    def test_what_get_returns_is_the_callers(self) -> None:
        with self._store() as (store, _):
            sid, value = store.generate_id(), {"list": [1]}
            store.set(sid, value)
            value["list"].append(2)
            found = store.get(sid)
            assert found is not None
            found["list"].append(3)
            assert store.get(sid) == {"list": [1]}, "values are copied in and out"

    def test_sessions_expire(self) -> None:
        with self._store(short=True) as (store, wait):
            sid = store.generate_id()
            store.set(sid, {"a": 1})
            wait(0.5)
            assert store.get(sid) == {"a": 1}
            wait(0.6)
            assert not store.get(sid)
            assert not store.touch(sid), "touch() does not bring back what expired"
            assert not store.merge(sid, {"a": 2}), "nor does merge()"
            assert not store.take(sid)
            assert not store.get(sid)

    def test_use_prolongs_a_session(self) -> None:
        with self._store(short=True) as (store, wait):
            sid = store.generate_id()
            store.set(sid, {"a": 1})
            wait(0.7)
            assert store.touch(sid)
            wait(0.7)
            store.set(sid, {"a": 2})
            wait(0.7)
            assert store.merge(sid, {"b": 3})
            wait(0.7)
            assert store.get(sid) == {"a": 2, "b": 3}
            wait(0.4)
            assert not store.get(sid), "get() does not prolong it"

    def test_clear_forgets_all(self) -> None:
        with self._store() as (store, _):
            ids = [store.generate_id() for _ in range(20)]
            for sid in ids:
                store.set(sid, {"a": 1})
            store.clear()
            assert not any(store.get(sid) for sid in ids)
            store.set(ids[0], {"a": 2})
            assert store.get(ids[0]) == {"a": 2}

    def test_clear_empties_one(self) -> None:
        with self._store() as (store, _):
            one, two, unknown = (store.generate_id() for _ in range(3))
            store.set(one, {"a": 1})
            store.set(two, {"a": 2})
            store.clear(one)
            store.clear(unknown)
            assert not store.get(one)
            assert store.get(two) == {"a": 2}
            assert not store.get(unknown), "clear(sid) makes no session"

    def test_the_visitor_of_a_cleared_session_stays(self) -> None:
        if not self.clears_one:
            raise unittest.SkipTest("clears_one is False: its clear(sid) ends the session")
        with self._store() as (store, _):
            manager = _manager(store)
            sid = _begin(manager, a=1)
            store.clear(sid)
            session = manager.open(sid)
            assert dict(session) == {} and not session.new

    def test_merge(self) -> None:
        with self._store() as (store, _):
            sid = store.generate_id()
            assert not store.merge(sid, {"a": 1}) and not store.get(sid)
            store.set(sid, {"a": 1, "b": [1], "c": 3})
            assert store.merge(sid, {"b": [2], "d": 4}, ["c", "unknown"])
            assert store.get(sid) == {"a": 1, "b": [2], "d": 4}
            assert store.merge(sid, {"e": 5}, replace=True)
            assert store.get(sid) == {"e": 5}
            store.delete(sid)
            assert not store.merge(sid, {"a": 1}) and not store.get(sid)

    def test_take(self) -> None:
        with self._store() as (store, _):
            sid = store.generate_id()
            assert not store.take(sid)
            store.set(sid, {"a": 1})
            assert store.take(sid) == {"a": 1}
            assert not store.get(sid) and not store.take(sid)

    def test_any_text_is_safe_as_an_id(self) -> None:
        with self._store() as (store, _):
            manager = _manager(store)
            sid = _begin(manager, a=1)
            hostile = [
                "",
                "../../etc/passwd",
                "a/b",
                "*",
                "\0",
                "é",
                "\udcff",
                "x" * 10_000,
                "key",
            ]
            hostile += [sid[:-1], sid + "A", sid.swapcase(), " " + sid, sid + "\n", "A" * len(sid)]
            for text in hostile:
                session = manager.open(text)
                assert session.new and dict(session) == {}, f"{text[:50]!r} is nobody's"
                session["b"] = 2
                cookie = manager.commit(session)
                assert cookie is not None and cookie.value != text, "no id is adopted"
            assert dict(manager.open(sid)) == {"a": 1}

    def test_a_visit(self) -> None:
        with self._store() as (store, _):
            manager = _manager(store)
            sid = _begin(manager, cart=[1])
            session = manager.open(sid)
            session["cart"].append(2)
            session.flash("saved")
            manager.commit(session)
            session = manager.open(sid)
            assert session["cart"] == [1, 2] and [m.message for m in session.flashes()] == [
                "saved"
            ]
            session.bind("anna")
            cookie = manager.commit(session)
            assert cookie is not None
            assert manager.open(sid).new and manager.open(cookie.value).user_id == "anna"
            manager.sign_out_everywhere("anna")
            assert manager.open(cookie.value).new

    def test_parallel_requests_lose_no_update(self) -> None:
        with self._store() as (store, _):
            manager = _manager(store)
            sid = _begin(manager, a=1)
            sessions = [manager.open(sid) for _ in range(5)]
            for number, session in enumerate(sessions):
                session[f"key{number}"] = number
            for session in sessions:
                manager.commit(session)
            assert dict(manager.open(sid)) == {"a": 1, **{f"key{n}": n for n in range(5)}}

    def test_threads_lose_no_update(self) -> None:
        if not self.atomic:
            raise unittest.SkipTest("atomic is False: another thread may come in between")
        with self._store() as (store, _):
            sid = store.generate_id()
            store.set(sid, {})
            store.set(sid, {"begin": True})

            def change(number: int) -> None:
                for step in range(20):
                    assert store.merge(sid, {f"{number}.{step}": step})

            _in_threads(change, 5)
            assert store.get(sid) == {
                "begin": True,
                **{f"{number}.{step}": step for number in range(5) for step in range(20)},
            }

    def test_one_of_many_threads_takes_it(self) -> None:
        if not self.atomic:
            raise unittest.SkipTest("atomic is False: another thread may come in between")
        with self._store() as (store, _):
            for _ in range(10):
                sid = store.generate_id()
                taken: list[object] = []
                store.set(sid, {"a": 1})
                _in_threads(lambda number, sid=sid, to=taken: to.append(store.take(sid)), 4)  # type: ignore[misc]
                assert sorted(map(str, taken)) == ["None"] * 3 + ["{'a': 1}"]

    def test_another_process_sees_it(self) -> None:
        with self._store() as (store, _), self.reopen(_raw(store), self._clock) as second:
            other: Any = _Blocking(second) if second.asynchronous else second
            sid = store.generate_id()
            store.set(sid, {"a": 1})
            assert other.get(sid) == {"a": 1}
            assert other.merge(sid, {"b": 2})
            assert store.get(sid) == {"a": 1, "b": 2}
            other.delete(sid)
            assert not store.get(sid) and not store.merge(sid, {"c": 3})

    def test_a_lock_is_one_requests(self) -> None:
        with self._store() as (store, _):
            self._needs_locks(store)
            one, two = store.generate_id(), store.generate_id()
            word = store.lock(one, 100)
            assert word is not None
            assert store.lock(one, 100) is None, "nobody else has it"
            other = store.lock(two, 100)
            assert other is not None, "another session's is free"
            store.unlock(two, other)
            assert store.lock(one, 100) is None
            store.unlock(one, word)
            again = store.lock(one, 100)
            assert again is not None
            store.unlock(one, word)  # not his any more
            store.unlock(one, again)

    def test_requests_that_wait_for_each_other_lose_nothing(self) -> None:
        with self._store() as (store, _):
            self._needs_locks(store)
            manager = _manager(store, lock=True, lock_timeout=100)
            sid = _begin(manager, n=0)

            def count(number: int) -> None:
                for _ in range(5):
                    session = manager.open(sid)
                    session["n"] += 1
                    assert manager.commit(session) is None and session.save_error is None

            _in_threads(count, 4)
            assert manager.open(sid)["n"] == 20

    def test_closing_twice_is_no_error(self) -> None:
        made = self.make(LIFETIME, time.time)
        store: Any = _Blocking(made) if made.asynchronous else made
        store.close()
        store.close()

    def _needs_locks(self, store: Any) -> None:
        behind = getattr(_raw(store), "back", _raw(store))
        if type(behind).lock is SessionStore.lock:
            raise unittest.SkipTest("this store has no lock(): lock=True is refused")

    # ---- how they are run --------------------------------------------------------------------

    @contextlib.contextmanager
    def _store(self, short: bool = False) -> Iterator[tuple[Any, Callable[[float], None]]]:
        """A store, and what lets a part of its lifetime pass."""
        clock: Any = Clock() if self.follows_clock else time.time
        self._clock: Callable[[], float] = clock
        lifetime = LIFETIME if self.follows_clock or not short else 2.0

        def wait(part: float) -> None:
            if self.follows_clock:
                clock.now += part * lifetime
            else:
                time.sleep(part * lifetime)

        with self.make(lifetime, clock) as store:
            yield (_Blocking(store) if store.asynchronous else store), wait


class _Blocking:
    """An asynchronous store, with plain methods."""

    def __init__(self, store: SessionStore) -> None:
        self.raw = store

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.raw, name)

        def plain(*arguments: Any, **options: Any) -> Any:
            return drive(call(self.raw, partial(method, *arguments, **options)))

        return plain if callable(method) else method


def _raw(store: Any) -> SessionStore:
    found: SessionStore = store.raw if isinstance(store, _Blocking) else store
    return found


def _manager(store: Any, **options: Any) -> SessionManager:
    return SessionManager(_raw(store), **options)


def _begin(manager: SessionManager, **values: object) -> str:
    session = manager.open(None)
    session.update(values)
    cookie = manager.commit(session)
    assert cookie is not None, "a new session gets a cookie"
    return cookie.value


def _in_threads(call: Callable[[int], object], n: int) -> None:
    problems: list[BaseException] = []

    def run(number: int) -> None:
        try:
            call(number)
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]


def main(arguments: list[str]) -> int:
    """Run the tests of ``module:Class``; 0 when all passed, 1 when one failed, 2 for bad words."""
    module, colon, name = arguments[0].partition(":") if len(arguments) == 1 else ("", "", "")
    if not colon:
        print("usage: python -m guava_session.testing MODULE:CLASS", file=sys.stderr)
        return 2
    sys.path.insert(0, "")
    try:
        suite = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        print(f"guava_session.testing: {error}", file=sys.stderr)
        return 2
    if not (isinstance(suite, type) and issubclass(suite, StoreConformance)):
        print(f"guava_session.testing: {name} is no StoreConformance", file=sys.stderr)
        return 2
    failed = 0
    for test in sorted(name for name in dir(suite) if name.startswith("test_")):
        title = test.removeprefix("test_").replace("_", " ")
        try:
            getattr(suite(), test)()
        except unittest.SkipTest as why:
            print(f"skipped  {title}: {why}")
        except Exception:
            failed += 1
            print(f"FAILED   {title}")
            traceback.print_exc()
        else:
            print(f"passed   {title}")
    return 1 if failed else 0


if __name__ == "__main__":
    # As a module: what is imported here has another StoreConformance than `__main__`.
    sys.exit(importlib.import_module("guava_session.testing").main(sys.argv[1:]))
