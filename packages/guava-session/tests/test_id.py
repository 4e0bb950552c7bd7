"""generate_id() and is_id(): what an id is, and what is none."""

import base64
import os
import string

import pytest
from guava_session import MemoryStore, generate_id, is_id

ALPHABET = set(string.ascii_letters + string.digits + "-_")


def test_an_id_is_32_bytes_in_url_safe_base64():
    for _ in range(100):
        sid = generate_id()
        raw = base64.urlsafe_b64decode(sid + "=")
        assert len(raw) == 32
        # The encoding is the standard library's, padding aside: every bit is in its place.
        assert base64.urlsafe_b64encode(raw).decode().rstrip("=") == sid


def test_ids_do_not_repeat_and_use_every_character_everywhere():
    ids = [generate_id() for _ in range(5000)]
    assert len(set(ids)) == len(ids)
    for place in range(42):
        assert {sid[place] for sid in ids} == ALPHABET
    # 256 bits are 42 characters and four bits.
    assert {sid[42] for sid in ids} == set("AEIMQUYcgkosw048")


def test_every_bit_is_as_often_one_as_zero():
    count = 4000
    ones = [0] * 256
    for _ in range(count):
        number = int.from_bytes(base64.urlsafe_b64decode(generate_id() + "="), "big")
        for bit in range(256):
            ones[bit] += number >> bit & 1
    # Seven standard deviations: a fair source fails once in 10**9 runs.
    deviation = 7 * (count / 4) ** 0.5
    assert all(abs(n - count / 2) < deviation for n in ones)


def test_a_forked_process_makes_other_ids():
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, generate_id().encode())
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(writer)
    with open(reader) as pipe:
        assert pipe.read() != generate_id()


@pytest.mark.parametrize("value", ["A" * 43, "-_" * 21 + "0", "0123456789" * 4 + "abc"])
def test_shape_accepted(value):
    assert is_id(value)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"A" * 43,
        43,
        "",
        "A" * 42,
        "A" * 44,
        "A" * 42 + "=",
        "A" * 42 + "+",
        "A" * 42 + "/",
        "A" * 42 + " ",
        "A" * 42 + "\n",
        "\0" + "A" * 42,
        "A" * 42 + "é",
        "A" * 42 + "\uff21",
        "A" * 42 + "\ud800",
        "../" * 14 + "a",
        "..%2f" * 8 + "abc",
        "/etc/passwd",
        "A" * 20 + ".." + "A" * 21,
    ],
)
def test_shape_refused(value):
    assert not is_id(value)


def test_every_single_byte_is_judged_by_the_alphabet():
    for code in range(256):
        assert is_id("A" * 20 + chr(code) + "B" * 22) is (chr(code) in ALPHABET), code


def test_a_store_makes_and_knows_ids():
    store = MemoryStore()
    assert is_id(store.generate_id())
    assert store.is_id(generate_id())
    assert not store.is_id("short")
