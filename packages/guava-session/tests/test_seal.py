"""The format of a session's file: every damaged byte is noticed."""

import hashlib
import hmac
import struct

import pytest
from guava_session import seal

KEY = bytes(range(32))
NAME = hashlib.sha256(b"id").hexdigest()


def test_the_format_is_what_it_says():
    blob = seal.seal(KEY, NAME, 1234567890123, b'{"a":1}')
    head = b"GSES\x01\0\0\0" + struct.pack(">q", 1234567890123)
    mac = hmac.new(KEY, head + NAME.encode() + b'{"a":1}', hashlib.sha256).digest()
    assert blob == head + mac + b'{"a":1}'
    assert len(head + mac) == seal.OVERHEAD
    assert seal.unseal([KEY], NAME, blob) == (1234567890123, b'{"a":1}')
    assert seal.peek(blob[: seal.HEAD_BYTES]) == 1234567890123


def test_an_empty_payload_and_one_that_never_expires():
    assert seal.unseal([KEY], NAME, seal.seal(KEY, NAME, seal.NEVER, b"")) == (seal.NEVER, b"")


def test_every_flipped_bit_is_noticed():
    blob = seal.seal(KEY, NAME, 1234567890123, b'{"user":"anna"}')
    for place in range(len(blob) * 8):
        damaged = bytearray(blob)
        damaged[place // 8] ^= 1 << place % 8
        with pytest.raises(seal.BadSealError):
            seal.unseal([KEY], NAME, bytes(damaged))


def test_every_cut_and_every_addition_is_noticed():
    blob = seal.seal(KEY, NAME, 1234567890123, b'{"user":"anna"}')
    for size in range(len(blob)):
        with pytest.raises(seal.BadSealError):
            seal.unseal([KEY], NAME, blob[:size])
    with pytest.raises(seal.BadSealError):
        seal.unseal([KEY], NAME, blob + b"\0")


def test_another_key_or_name_is_noticed():
    blob = seal.seal(KEY, NAME, 1234567890123, b"{}")
    with pytest.raises(seal.BadSealError, match="key"):
        seal.unseal([bytes(32)], NAME, blob)
    with pytest.raises(seal.BadSealError):
        seal.unseal([KEY], hashlib.sha256(b"other").hexdigest(), blob)


def test_another_version_is_not_judged():
    blob = bytearray(seal.seal(KEY, NAME, 1, b"{}"))
    blob[4] = 2
    assert seal.peek(bytes(blob)) is None
    with pytest.raises(seal.BadSealError, match="unknown format"):
        seal.unseal([KEY], NAME, bytes(blob))
