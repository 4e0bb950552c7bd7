"""What MemoryStore keeps without a serializer: copies, as JSON's would be."""

import datetime
import decimal
import enum
import gc
import json
import random
import subprocess
import sys
import textwrap
import threading
import uuid
import weakref
from collections import OrderedDict

import pytest
from guava_session import JSONSerializer, MemoryStore
from guava_session._core import is_plain
from guava_session.values import pack

JSON = JSONSerializer()
UTC = datetime.UTC


class Zone(datetime.tzinfo):
    def utcoffset(self, when):
        return datetime.timedelta(hours=2)

    def dst(self, when):
        return None


class Color(enum.IntEnum):
    RED = 3


class Name(str):
    pass


class Row(dict):
    pass


LEAVES = [
    None,
    True,
    0,
    -(10**40),
    1.5,
    -0.0,
    "",
    "é\ud800😀",
    b"\x00\xff",
    datetime.date(2026, 11, 23),
    datetime.time(1, 2, 3, tzinfo=UTC),
    datetime.datetime(2026, 11, 23, 1, 2, 3, 4),
    datetime.datetime(2026, 11, 23, tzinfo=UTC),
    datetime.datetime(2026, 11, 23, tzinfo=Zone()),
    datetime.timedelta(1, 2, 3),
    decimal.Decimal("1.10"),
    uuid.UUID(int=5),
    Color.RED,
    Name("Ada"),
    (1, (2, [3])),
    OrderedDict(a=[1]),
    Row(a=1),
    {"$date": "2026-11-23"},
    [],
    {},
]


def types(value):
    """The value with its types: 1, 1.0 and True are equal."""
    if isinstance(value, dict):
        return {key: types(item) for key, item in value.items()}, type(value)
    if isinstance(value, list):
        return [types(item) for item in value], type(value)
    return repr(value), type(value)


@pytest.mark.parametrize("value", LEAVES, ids=lambda value: type(value).__name__)
def test_what_comes_out_is_what_json_gives_back(value):
    store = MemoryStore()
    for record in ({"key": value}, {"a": [value, {"b": value}], "c": {"d": [[value]]}}):
        store.set("a", record)
        assert types(store.get("a")) == types(JSON.loads(JSON.dumps(record)))
        store.set("a", {"x": 1})
        assert store.merge("a", record)
        assert types(store.get("a")) == types(JSON.loads(JSON.dumps({"x": 1, **record})))


@pytest.mark.parametrize("value", LEAVES, ids=lambda value: type(value).__name__)
def test_what_is_plain_needs_no_form(value):
    for nested_value in (value, [value], {"a": (1, {"b": value})}):
        if is_plain(nested_value):
            assert pack(nested_value, "key") is nested_value
            assert types(json.loads(json.dumps(nested_value))) == types(
                JSON.loads(JSON.dumps({"x": nested_value}))["x"]
            )


def test_what_is_plain():
    plain = {"a": [1, 1.5, None, True, "b", ("c", {"$d": 1, "e": {}})], "": {"": []}}
    assert is_plain(plain) and is_plain({}) and is_plain("a")
    for value in (looped(), nested(5000), float("nan"), {1: 2}, {"$a": 1}, Name("x"), Row(), {1}):
        assert not is_plain(value) and not is_plain({"a": [value]})


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def looped():
    value = {"price": 1}
    value["self"] = [value]
    return value


@pytest.mark.parametrize(
    "value, error, path",
    [
        ({1}, TypeError, r"'cart\[1\]\.price' is of type set"),
        (object(), TypeError, r"'cart\[1\]\.price' is of type object"),
        (float("nan"), ValueError, r"'cart\[1\]\.price' holds nan"),
        (float("-inf"), ValueError, r"'cart\[1\]\.price' holds -inf"),
        ({1: 2}, TypeError, r"'cart\[1\]\.price' holds a dict with the key 1"),
        (UTC, TypeError, r"'cart\[1\]\.price' is of type timezone"),
        (looped(), ValueError, r"contains itself"),
    ],
)
def test_errors_name_the_place(value, error, path):
    store = MemoryStore()
    store.set("a", {"kept": 1})
    record = {"cart": [{"price": 1}, {"price": value}]}
    for call in (
        lambda: store.set("a", record),
        lambda: store.merge("a", record),
        lambda: store.compare_and_set("a", {"kept": 1}, record),
    ):
        with pytest.raises(error, match=path):
            call()
    assert store.get("a") == {"kept": 1}
    with pytest.raises(TypeError, match="keys are str, not int"):
        store.set("a", {1: 2})


def test_nesting_is_bounded():
    with pytest.raises(RecursionError):
        MemoryStore().set("a", {"a": nested(100_000)})


def test_what_doubles_with_each_level_is_stopped():
    value = []
    for _ in range(200):
        value = [value, value]
    with pytest.raises(ValueError, match="more than the table may hold"):
        MemoryStore(max_bytes=1 << 20).set("a", {"a": value})


def test_nobody_shares_what_can_change():
    store = MemoryStore()
    cart = [{"price": 1}]
    store.set("a", {"cart": cart, "more": cart})
    cart.append(2)
    cart[0]["price"] = 2
    first = store.get("a")
    assert first == {"cart": [{"price": 1}], "more": [{"price": 1}]}
    first["cart"][0]["price"] = 3
    first["more"].clear()
    assert store.get("a") == {"cart": [{"price": 1}], "more": [{"price": 1}]}
    change = {"new": {"x": [1]}}
    assert store.merge("a", change)
    change["new"]["x"].append(2)
    store.get("a")["new"]["x"].append(3)
    assert store.get("a")["new"] == {"x": [1]}
    taken = store.take("a")
    assert taken["new"] == {"x": [1]} and store.get("a") is None


@pytest.mark.parametrize("seed", range(5))
def test_merge_does_what_the_model_does(seed):
    chance = random.Random(seed)
    store, model = MemoryStore(), {"_guava": {"created": 1}}
    store.set("a", model)
    for _ in range(500):
        changed = {chance.choice("abcdef"): chance.choice([1, [2], {"x": [3]}]) for _ in range(2)}
        removed = [key for key in "abcdef" if key not in changed and chance.random() < 0.3]
        replace = chance.random() < 0.1
        if replace:
            model = {"_guava": model["_guava"]}
        model = {key: item for key, item in model.items() if key not in removed} | changed
        assert store.merge("a", changed, removed, replace=replace)
        assert store.get("a") == model
        before = store.stats()["bytes"]
        store.set("a", {})
        store.set("a", model)
        assert store.stats()["bytes"] == before
    assert store.merge("b", {"x": 1}) is False


@pytest.mark.parametrize(
    "kept, other",
    [(1, 1.0), (1, True), ("1", 1), ([1], [2]), ([1], [1, 1]), ({"a": 1}, {"b": 1}), ({}, [])],
)
def test_compare_and_set_compares_types_too(kept, other):
    store = MemoryStore()
    store.set("a", {"x": [kept]})
    assert store.compare_and_set("a", {"x": [other]}, {"y": 1}) is False
    assert store.compare_and_set("a", {"x": [kept], "z": 1}, {"y": 1}) is False
    assert store.compare_and_set("b", {"x": [kept]}, {"y": 1}) is False
    assert store.compare_and_set("a", {"x": (kept,)}, {"y": (1,)}) is True
    assert store.get("a") == {"y": [1]}


def test_many_threads_compare_and_set():
    store = MemoryStore()
    store.set("a", {"count": 0, "id": uuid.UUID(int=1)})
    errors = []

    def work():
        try:
            for _ in range(200):
                while True:
                    old = store.get("a")
                    if store.compare_and_set("a", old, {**old, "count": old["count"] + 1}):
                        break
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [] and store.get("a")["count"] == 800


@pytest.mark.parametrize(
    "drop",
    [
        lambda store: store.set("a", {}),
        lambda store: store.merge("a", {"key": 1}),
        lambda store: store.compare_and_set("a", store.get("a"), {}),
        lambda store: store.delete("a"),
        lambda store: store.take("a"),
        lambda store: store.clear(),
        lambda store: store.clear("a"),
        lambda store: [store.set(f"{number}", {"x": number}) for number in range(5)],
    ],
)
def test_what_dies_may_call_back(drop):
    """A weak reference is the one way by which a dropped value runs code."""
    store = MemoryStore(max_entries=3)
    calls = []

    def dead(reference):
        calls.append(store.get("a"))
        store.set("a", {"again": len(calls)})
        store.clear()
        store.set("b", {"again": len(calls)})

    value = uuid.uuid4()
    reference = weakref.ref(value, dead)
    store.set("a", {"key": value})
    del value
    assert reference() is not None
    drop(store)
    gc.collect()
    assert reference() is None and len(calls) == 1
    store.set("c", {"x": 1})
    assert store.get("c") == {"x": 1} and len(store) <= 3
    store.clear()
    assert store.stats()["bytes"] == 0


def test_kept_values_are_not_the_collectors():
    """A full collection must not walk every session."""
    code = """
        import gc
        from guava_session import MemoryStore
        store = MemoryStore(max_bytes=1 << 40)
        record = {"cart": [{"price": 1}, {"price": 2}], "user": {"name": "Ada"}}
        store.set("first", record)
        gc.collect()
        before = len(gc.get_objects())
        for number in range(1000):
            store.set(str(number), record)
            store.merge(str(number), {"more": [{"x": 1}]})
        print(len(gc.get_objects()) - before)
        copy = store.get("7")
        copy["self"] = copy
        del copy
        print(gc.collect())
    """
    grown, collected = map(int, run(code).split())
    assert grown < 100 and collected >= 1


def test_a_cycle_of_a_copy_is_collected():
    class Node:
        pass

    store = MemoryStore()
    store.set("a", {"x": [{"y": 1}]})
    copy = store.get("a")
    copy["x"][0]["node"] = node = Node()
    node.copy = copy
    gone = weakref.ref(node)
    del node, copy
    gc.collect()
    assert gone() is None


def test_it_does_not_grow():
    code = """
        import sys, uuid
        from guava_session import MemoryStore
        store = MemoryStore(max_entries=50)
        def work():
            for number in range(500):
                sid = str(number % 80)
                store.set(sid, {"a": [number, {"b": (1.5, uuid.UUID(int=number))}], "t": "é" * 9})
                store.merge(sid, {"c": {"d": [number]}}, ["t"])
                store.merge(sid, {}, replace=number % 2 == 0)
                old = store.get(sid)
                store.compare_and_set(sid, old, {"x": old}), store.compare_and_set(sid, old, {})
                store.touch(sid), store.get("nobody")
                if number % 3 == 0:
                    store.take(sid)
                for wrong in ({"a": [{1}]}, {"a": {1: 2}}, {2: 3}, {"a": float("nan")}):
                    for call in (store.set, store.merge):
                        try:
                            call(sid, wrong)
                        except (TypeError, ValueError):
                            pass
            store.clear()
        work(), work()
        before = sys.getallocatedblocks()
        for _ in range(20):
            work()
        print(sys.getallocatedblocks() - before)
    """
    assert abs(int(run(code))) < 20


def test_every_allocation_may_fail():
    pytest.importorskip("_testcapi", reason="this interpreter came without its test modules")
    code = """
        import _testcapi
        from guava_session import MemoryStore
        record = {"a": [1, {"b": (2, [3])}], "c": {"d": "e"}}
        failures = 0
        for start in range(120):
            store = MemoryStore()
            store.set("a", record)
            failed = False
            _testcapi.set_nomemory(start, start + 1)
            try:
                store.set("b", record)
                store.get("a")
                store.merge("a", record, ("x",))
                store.compare_and_set("b", record, record)
            except MemoryError:
                failed = True
            finally:
                _testcapi.remove_mem_hooks()
            failures += failed
            assert store.get("a") == {"a": [1, {"b": [2, [3]]}], "c": {"d": "e"}}
            assert store.get("b") in (None, store.get("a"))
            store.clear()
            assert store.stats()["bytes"] == 0
        print(failures)
    """
    assert int(run(code)) > 5


def test_the_charge_covers_what_is_allocated():
    code = """
        import resource
        from guava_session import MemoryStore
        def resident():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * resource.getpagesize()
        store = MemoryStore(max_entries=10**6, max_bytes=2**40)
        before = resident()
        for n in range(20000):
            name = f"name of {n}"
            store.set(f"{n:043d}", {"n": n + 1000, "name": name, "cart": [{"p": n + 0.5, "q": 1}]})
        print((resident() - before) / store.stats()["bytes"])
    """
    # A sanitizer's allocator, which runs the same test, takes three times as much.
    assert 0.5 < float(run(code)) < 4


def run(code):
    """What the code prints, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    ).stdout
