"""Keys: what they sign, what they believe, and what is no key."""

import pytest
from guava_session import BadSignature, Keys

OLD, NEW, OTHER = b"o" * 32, b"n" * 40, b"x" * 32


def test_what_is_signed_is_believed():
    keys = Keys(OLD)
    for data in (b"", b"text", bytes(1000)):
        assert keys.verify(keys.sign(data, "a"), "a") == data


def test_a_new_key_signs_and_the_old_one_is_believed():
    old = Keys(OLD).sign(b"text", "a")
    both = Keys([NEW, OLD])
    assert both.verify(old, "a") == b"text"
    new = both.sign(b"text", "a")
    assert new != old and Keys(NEW).verify(new, "a") == b"text"
    with pytest.raises(BadSignature):
        Keys(NEW).verify(old, "a")


def test_another_purpose_has_another_key():
    keys = Keys(OLD)
    with pytest.raises(BadSignature):
        keys.verify(keys.sign(b"text", "a"), "b")
    assert len({keys.derive(purpose) for purpose in "abc"}) == 3


def test_every_changed_bit_is_seen():
    keys = Keys([NEW, OLD])
    blob = keys.sign(b"text", "a")
    for at in range(len(blob)):
        for bit in range(8):
            changed = bytearray(blob)
            changed[at] ^= 1 << bit
            with pytest.raises(BadSignature):
                keys.verify(bytes(changed), "a")
    for cut in range(len(blob)):
        with pytest.raises(BadSignature):
            keys.verify(blob[:cut], "a")


@pytest.mark.parametrize("secrets", ["password" * 8, [OLD, "x" * 32], [5], [None]])
def test_what_is_not_bytes(secrets):
    with pytest.raises(TypeError, match="a key is bytes, not"):
        Keys(secrets)


def test_what_is_too_short():
    with pytest.raises(ValueError, match="a key of 31 bytes is too short; 32 are needed"):
        Keys([OLD, b"x" * 31])
    with pytest.raises(ValueError, match="at least one key"):
        Keys([])


def test_it_shows_no_secret():
    assert repr(Keys([NEW, OLD])) == "<Keys: 2>"
