"""Forms out of a seeded random grammar, mutated: however the bytes are cut, they are the same
form, or are refused: of two reasons, the one that is seen first.

GUAVA_FORMS=30000 reads so many of them, GUAVA_SEED=n begins elsewhere.
"""

import os
import random

from guava_http import Limits, RequestError
from guava_http.multipart import Parser

FORMS = int(os.environ.get("GUAVA_FORMS", "400"))
SEED = int(os.environ.get("GUAVA_SEED", "1"))

LIMITS = Limits(form_parts=5, part_head=250)
TYPE = "multipart/form-data; boundary=x-x"
NAMES = [b'name="a"', b"name=b", b'name=""', b'filename="a.png"', b'filename=""', b"filename=../a"]
NAMES += [b"filename*=UTF-8''%e2%82%ac", b"filename*=x", b'name="a\\"b"', b"name=\xe9", b""]
FIELDS = [b"Content-Type: text/plain; charset=latin1", b"Content-Type: image/png", b"X-A: b"]
FIELDS += [b"Content-Type: multipart/mixed; boundary=y", b"Content-Transfer-Encoding: base64"]
FIELDS += [b"Content-Disposition: form-data; name=c", b"no colon", b"X-Long: " + b"x" * 200]
BODIES = [
    b"",
    b"hello",
    b"\r\n",
    b"\r\n--x",
    b"\r\n--x-",
    b"--x-x",
    b"x" * 300,
    b"\r",
    b"\r\n\r\n",
]
PIECES = [b"\r\n", b"--x-x", b"--", b"\r", b"\n", b"\0", b"--x-x--", b":", b'"', b"; ", b"\xff"]


def form(chance):
    out = [chance.choice([b"", b"", b"", b"\r\n", b"preamble\r\n"])]
    for _ in range(chance.choice([0, 1, 1, 2, 3, 9])):
        disposition = b"; ".join(
            [b"Content-Disposition: form-data", *chance.sample(NAMES, chance.choice([1, 1, 2, 3]))]
        )
        fields = [disposition, *chance.sample(FIELDS, chance.choice([0, 0, 1, 2]))]
        chance.shuffle(fields)
        out += [b"--x-x\r\n", b"\r\n".join(fields), b"\r\n\r\n", chance.choice(BODIES), b"\r\n"]
    out.append(chance.choice([b"--x-x--", b"--x-x--\r\n", b"--x-x--\r\nepilogue", b"--x-x", b""]))
    return b"".join(out)


def mutated(chance, data):
    for _ in range(chance.choice([0, 0, 1, 1, 2, 4])):
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + chance.choice([0, 0, 1, 5, 40]))
        data = data[:at] + chance.choice([b"", *PIECES]) + data[end:]
    return data


def read(pieces):
    """The parts as (name, filename, type, body), or the status that refuses them."""
    parts = []
    parser = Parser(TYPE, LIMITS)
    try:
        for piece in pieces:
            for event in parser.feed(piece):
                if event is None:
                    parts[-1] = (*parts[-1][:3], bytes(parts[-1][3]))
                elif isinstance(event, bytes):
                    parts[-1][3].extend(event)
                else:
                    parts.append((event.name, event.filename, event.content_type, bytearray()))
        parser.finish()
    except RequestError as error:
        return error.status
    return parts


def cut(chance, data):
    at = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randrange(1, 6)))
    pieces = [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)]
    return [piece for piece in pieces if piece]


def test_a_form_is_the_same_however_it_is_cut():
    chance = random.Random(SEED)
    outcomes = set()
    for _ in range(FORMS):
        data = mutated(chance, form(chance))
        whole = read([data])
        outcomes.add(whole if isinstance(whole, int) else "form")
        for pieces in ([data[i : i + 1] for i in range(len(data))], cut(chance, data)):
            other = read(pieces)
            assert other == whole or (isinstance(other, int) and isinstance(whole, int)), data
    assert outcomes == {"form", 400, 413}


def test_what_was_made_is_read():
    """Without mutations and with names, parts come out as they went in."""
    chance = random.Random(SEED)
    for _ in range(50):
        made = [
            (f"n{i}", chance.choice([None, "f.txt"]), chance.randbytes(chance.randrange(200)))
            for i in range(chance.randrange(1, 5))
        ]
        data = b""
        for name, filename, body in made:
            data += b'--x-x\r\nContent-Disposition: form-data; name="%b"' % name.encode()
            data += b'; filename="f.txt"' if filename else b""
            data += b"\r\n\r\n" + body + b"\r\n"
        parts = read(cut(chance, data + b"--x-x--\r\n"))
        assert [(name, filename, body) for name, filename, _, body in parts] == made
