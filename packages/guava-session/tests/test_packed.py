"""MsgspecSerializer: the values of JSON's, as MessagePack."""

import datetime
import decimal
import sys
import uuid

import pytest
from guava_session import FileStore, MemoryStore, MsgspecSerializer

RECORD = {
    "a": [1, -(2**63), 2**64 - 1, 0.5, True, None, "ü", b"\0raw", {"$date": 5}],
    "when": datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC),
    "price": decimal.Decimal("1.10"),
    "id": uuid.UUID(int=7),
    "$": {"$": {}},
}


@pytest.fixture
def serializer():
    pytest.importorskip("msgspec", reason="an optional package, which the project's own run has")
    return MsgspecSerializer()


def test_what_goes_in_comes_out(serializer):
    assert repr(serializer.loads(serializer.dumps(RECORD))) == repr(RECORD)
    assert serializer.loads(serializer.dumps({})) == {}


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_in_a_store(serializer, kind, tmp_path):
    make = {
        "memory": lambda: MemoryStore(serializer=serializer),
        "file": lambda: FileStore(tmp_path / "sessions", serializer=serializer),
    }
    with make[kind]() as store:
        sid = store.generate_id()
        store.set(sid, RECORD)
        assert store.get(sid) == RECORD


def test_what_it_cannot_keep(serializer):
    with pytest.raises(ValueError, match="more than 64 bits"):
        serializer.dumps({"n": 2**64})
    with pytest.raises(TypeError, match="'a' is of type object"):
        serializer.dumps({"a": object()})
    with pytest.raises(TypeError, match="keys are str, not int"):
        serializer.dumps({1: 1})


@pytest.mark.parametrize(
    "data", [b"", b"\x80\x80", b"\x90", b"\x01", b"{}", b"\x81\x01\x01", b"\xff"]
)
def test_what_is_not_a_session(serializer, data):
    with pytest.raises(ValueError):
        serializer.loads(data)


def test_without_msgspec(monkeypatch):
    monkeypatch.setitem(sys.modules, "msgspec", None)
    with pytest.raises(ImportError, match=r"pip install guava-session\[msgspec\]"):
        MsgspecSerializer()
