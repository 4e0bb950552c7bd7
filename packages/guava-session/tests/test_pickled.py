"""UnsafePickleSerializer: loud, and signed."""

import fractions
import pickle

import pytest
from guava_session import MemoryStore, UnsafePickleSerializer

KEY, OTHER = b"k" * 32, b"o" * 32


def make(keys=KEY):
    with pytest.warns(RuntimeWarning, match="whoever learns the key can run code"):
        return UnsafePickleSerializer(keys)


class Bomb:
    """Its pickle fails the test that loads it."""

    def __reduce__(self):
        return pytest.fail, ("a pickle ran that nobody had signed",)


def test_any_object():
    store = MemoryStore(serializer=make())
    store.set("a", {"b": fractions.Fraction(1, 3)})
    assert store.get("a") == {"b": fractions.Fraction(1, 3)}


def test_what_nobody_signed_is_not_even_read():
    serializer = make()
    for blob in (b"", pickle.dumps(Bomb()), b"x" * 32 + pickle.dumps(Bomb())):
        with pytest.raises(ValueError, match="signature"):
            serializer.loads(blob)
    with pytest.raises(ValueError, match="signature"):
        serializer.loads(make(OTHER).dumps({"bomb": Bomb()}))


def test_an_old_key_is_believed():
    old = make(OTHER).dumps({"a": 1})
    assert make([KEY, OTHER]).loads(old) == {"a": 1}


def test_what_does_not_load():
    serializer = make()
    sign = serializer._keys.sign
    with pytest.raises(ValueError, match="does not load"):
        serializer.loads(sign(b"no pickle", "pickle"))
    with pytest.raises(ValueError, match="a session is a dict, not int"):
        serializer.loads(sign(pickle.dumps(5), "pickle"))


def test_what_cannot_be_pickled():
    with pytest.raises(TypeError, match="cannot be pickled"):
        make().dumps({"a": lambda: 1})


@pytest.mark.parametrize("keys", ["password", b"short", []])
def test_without_a_key_there_is_none(keys):
    with pytest.raises((TypeError, ValueError), match="key"):
        UnsafePickleSerializer(keys)
