"""Forms as browsers write them are read by a native parser, which must never take what the parser
of all forms refuses, nor read anything else out of it. The `multipart` library is behind that one.

GUAVA_FORMS=100000 compares so many of them, GUAVA_SEED=n begins elsewhere.
"""

import os
import random

import pytest
from guava_http import Limits, RequestError
from guava_http.forms import any_form, usual_form

FORMS = int(os.environ.get("GUAVA_FORMS", "4000"))
SEED = int(os.environ.get("GUAVA_SEED", "1"))

TYPE = "multipart/form-data; boundary=x-x"
LIMITS = Limits(form_parts=5, part_head=400, body=500, part_memory=100)
NAMES = ["a", "b c", "ä", "\N{SNOWMAN}", "a;b", "a=b", "a:b", " a ", "ÿ"]
REST = ["%22", '\\"', "*", "", "\t", "\x85", "\xa0", "'", "é" * 150]
FILES = [*NAMES, "a.png", "", "../a", "C:a", "a; filename=b"]
TYPES = ["image/png", "Text/Plain", "text/plain; charset=latin-1", "a/b ", "multipart/x", "", "x"]
BODIES = [b"", b"hello", b"\r\n", b"\r\n--x", b"--x-x", b"x" * 300, b"\r", b"\xff\xfe", b"\0"]
PIECES = [
    b"\r\n",
    b"--x-x",
    b"--",
    b"\r",
    b"\n",
    b"\0",
    b"--x-x--",
    b":",
    b'"',
    b"; ",
    b"\xff",
    b" ",
]
PIECES += [
    b"\\",
    b"%",
    b"*",
    b"\t",
    b"\x7f",
    b"\xc2\xa0",
    b"name=",
    b'; filename="x"',
    b"X-A: b\r\n",
]
PIECES += [b"Content-Type: a/b\r\n", b'Content-Disposition: form-data; name="a"\r\n', b"x" * 500]


def part(chance):
    name = chance.choice(NAMES if chance.random() < 0.9 else REST)
    head = f'Content-Disposition: form-data; name="{name}"'
    if chance.random() < 0.5:
        head += f'; filename="{chance.choice(FILES)}"'
    lines = [head]
    if chance.random() < 0.3:
        types = TYPES[:2] if chance.random() < 0.8 else TYPES
        lines.insert(chance.randrange(2), f"Content-Type: {chance.choice(types)}")
    if chance.random() < 0.1:
        lines = [chance.choice([line.lower(), line.upper(), line.swapcase()]) for line in lines]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + chance.choice(BODIES)


def form(chance):
    parts = [part(chance) for _ in range(chance.choice([1, 1, 2, 3, 4, 6]))]
    end = chance.choice([b"\r\n", b"\r\n", b"", b"\r\nepilogue"])
    return b"".join(b"--x-x\r\n" + each + b"\r\n" for each in parts) + b"--x-x--" + end


def mutated(chance, data):
    for _ in range(chance.choice([0, 1, 1, 2])):
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + chance.choice([0, 0, 1, 5, 40]))
        data = data[:at] + chance.choice([b"", *PIECES]) + data[end:]
    return data


def file_facts(file):
    return (
        file.name,
        file.filename,
        file.content_type,
        file.size,
        file.headers.raw,
        file.read(),
    )


def facts(form):
    files = [file_facts(file) for _, file in form.files.multi_items()]
    return list(form.fields.multi_items()), [name for name, _ in form.files.multi_items()], files


def compare(data, limits=LIMITS, content_type=TYPE):
    """True: both read it, and the same; False: it is left to the parser of all forms."""
    usual = usual_form(content_type, data, limits)
    if usual is None:
        return False
    try:
        other = any_form(content_type, data, limits)
    except RequestError as error:
        pytest.fail(f"{data!r} was taken, and is refused: {error}")
    assert facts(usual) == facts(other), data
    return True


def test_what_both_read_is_the_same():
    chance = random.Random(SEED)
    taken = sum(compare(form(chance)) for _ in range(FORMS))
    assert FORMS / 4 < taken < FORMS
    taken = sum(compare(mutated(chance, form(chance))) for _ in range(FORMS))
    assert FORMS / 20 < taken < FORMS


def one(body=b"v", disposition=b'form-data; name="a"', more=b""):
    return b"--x-x\r\nContent-Disposition: %b\r\n%b\r\n%b\r\n--x-x--\r\n" % (
        disposition,
        more,
        body,
    )


def test_what_browsers_send_is_usual():
    assert compare(one())
    assert compare(one(disposition=b'form-data; name="a"; filename="b.png"'))
    assert compare(one(disposition='form-data; name="ä"; filename="é ☃.png"'.encode()))
    assert compare(one(b"", b'form-data; name="a"; filename=""', b"Content-Type: image/png\r\n"))
    assert compare(one(bytes(range(256)), more=b"content-type: text/plain\r\n"))
    boundary = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
    data = one().replace(b"x-x", boundary.encode())
    assert compare(data, content_type=f"multipart/form-data; boundary={boundary}")


@pytest.mark.parametrize(
    "limit", ["form_parts", "part_head", "body", "part_memory"], ids=lambda name: name
)
def test_limits_hold_to_the_byte(limit):
    """At every value of a limit: taken by both, or left to the one that refuses it."""
    data = b"".join(
        b'--x-x\r\nContent-Disposition: form-data; name="%d"%b\r\n\r\n%b\r\n'
        % (i, file, b"v" * 30)
        for i, file in enumerate([b"", b'; filename="f"', b""])
    )
    data += b"--x-x--"
    least = {"part_head": 64}.get(limit, 0)
    taken = []
    for value in range(least, least + 200):
        limits = Limits(**{limit: value})
        taken.append(compare(data, limits))
        if not taken[-1]:
            with pytest.raises(RequestError) as info:
                any_form(TYPE, data, limits)
            assert info.value.status == 413
    assert taken == sorted(taken) and taken[-1]
    assert taken[0] == (limit == "part_memory")


def test_files_are_kept_as_they_should():
    name = b'form-data; name="a"; filename="b.txt"'
    for size in (99, 100, 101, 5000):
        form = usual_form(TYPE, one(b"x" * size, name), LIMITS)
        file = form.files["a"]
        on_disk = getattr(file.file, "_rolled", False)
        assert on_disk == (size > 100)
        assert file.read(3) == b"xxx" and len(file.read()) == size - 3
        file.close()
        with pytest.raises(ValueError, match="closed"):
            file.read()


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary="x-x"',
        "multipart/form-data;boundary=x-x",
        "multipart/form-data; boundary=x-x; charset=utf-8",
        "multipart/form-data; boundary=" + "x" * 71,
        "multipart/form-data; boundary=x\xe9",
    ],
)
def test_unusual_types_are_left_to_the_other(content_type):
    assert usual_form(content_type, one(), LIMITS) is None


def test_nothing_is_taken_of_less_than_all():
    data = one()
    for end in range(len(data) - 2):
        assert usual_form(TYPE, data[:end], LIMITS) is None
    assert compare(data[:-2])
