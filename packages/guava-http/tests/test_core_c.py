"""core/ is plain C: it compiles without Python.h under the strictest warnings, and its functions
run without an interpreter, on inputs that end at a page nobody may touch."""

import random
import re
import shlex
import shutil
import subprocess
import sysconfig
import urllib.parse
from email.utils import formatdate
from pathlib import Path

import pytest

NATIVE = Path(__file__).parent.parent / "native"
STRICT = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-g", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
NAMES = [
    "conditions",
    "cookies",
    "date",
    "date_parse",
    "field",
    "query",
    "ranges",
    "reply",
    "status",
]
# They have drivers of their own: test_core_cost.py, and those of fuzz/.
FRAMING = ["buffer", "chunks", "parser", "scan", "target", "verdict"]
DATE = "Thu, 01 Jan 1970 00:00:00 GMT"


def compiler():
    return shlex.split(sysconfig.get_config_var("CC") or "cc")


if shutil.which(compiler()[0]) is None:
    pytest.skip("these tests need the C compiler that builds extensions", allow_module_level=True)


@pytest.mark.parametrize("source", [f"{name}.c" for name in NAMES + FRAMING])
def test_compiles_under_strict_warnings(source, tmp_path):
    target = ["-I", NATIVE, "-c", NATIVE / "core" / source, "-o", tmp_path / "x.o"]
    subprocess.run([*compiler(), *STRICT, *target], check=True, timeout=120)


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    built = tmp_path_factory.mktemp("core") / "driver"
    sources = [NATIVE / "core" / f"{name}.c" for name in NAMES]
    here = Path(__file__).with_name("core_driver.c")
    sanitized = ["-fsanitize=undefined", "-fno-sanitize-recover=undefined"]
    command = [*compiler(), "-std=c11", "-D_GNU_SOURCE", "-O1", "-g", "-I", NATIVE]
    probe = tmp_path_factory.mktemp("probe") / "probe"
    (probe.with_suffix(".c")).write_text("int main(void) { return 0; }")
    known = subprocess.run(
        [*command, *sanitized, probe.with_suffix(".c"), "-o", probe], capture_output=True
    )
    extra = sanitized if known.returncode == 0 else []
    subprocess.run([*command, *extra, here, *sources, "-o", built], check=True, timeout=300)

    def run(function, *calls):
        """A list of bytes for each call, a tuple of bytes."""
        lines = [" ".join([function, *(text.hex() + "." for text in call)]) for call in calls]
        done = subprocess.run(
            [built], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=120
        )
        assert (done.returncode, done.stderr) == (0, "")
        return [
            [bytes.fromhex(word.removesuffix(".")) for word in line.split()]
            for line in done.stdout.splitlines()
        ]

    return run


def soup(alphabet, seed, count=3000, longest=24):
    """Random texts over an alphabet of pieces, the same in every run."""
    source = random.Random(seed)
    return [
        b"".join(source.choice(alphabet) for _ in range(source.randrange(longest)))
        for _ in range(count)
    ]


def test_unquote(driver):
    texts = soup([b"%", b"%4", b"%41", b"%c3%a9", b"%zz", b"+", b"a", b"\xff", b"\0"], 1)
    texts += [b"%" * 65535 + b"a", b"%41" * 20_000]
    assert driver("unquote", *[(t,) for t in texts]) == [
        [urllib.parse.unquote_to_bytes(t), urllib.parse.unquote_to_bytes(t.replace(b"+", b" "))]
        for t in texts
    ]
    assert driver("in_place", *[(t,) for t in texts]) == [
        [urllib.parse.unquote_to_bytes(t.replace(b"+", b" "))] for t in texts
    ]


def test_quote(driver):
    texts = [bytes([byte]) for byte in range(256)] + [b"", b"/a b:\0", bytes(range(256)) * 80]
    expected = [[urllib.parse.quote(t, safe="/:").encode()] for t in texts]
    assert driver("quote", *[(t,) for t in texts]) == expected


def test_query(driver):
    texts = [*soup([b"&", b"=", b"a", b"b%26", b"\0"], 2), b"&" * 65536, b"=" * 65536]

    def expected(text):
        pairs = [piece.partition(b"=")[::2] for piece in text.split(b"&") if piece]
        return [part for pair in pairs for part in pair]

    assert driver("query", *[(t,) for t in texts]) == [expected(t) for t in texts]


def test_cookies(driver):
    texts = soup([b";", b"=", b"a", b"bc", b" ", b"\t", b'"', b"\\", b"\0"], 3)
    texts += [b"a=1;" * 16384, b";" * 65536, b'"' * 65536, b"=" * 65536]

    def expected(text):
        found = []
        for piece in text.split(b";"):
            name, equals, value = piece.partition(b"=")
            name, value = name.strip(b" \t"), value.strip(b" \t")
            if not equals or not name:
                continue
            quoted = len(value) >= 2 and value[:1] == value[-1:] == b'"'
            found += [name, value[1:-1] if quoted else value, b"%d" % quoted]
        return found

    assert driver("cookies", *[(t,) for t in texts]) == [expected(t) for t in texts]


def test_unescape(driver):
    texts = soup([b"\\", b"0", b"3", b"7", b"8", b"\\054", b"\\\\", b'\\"', b"x"], 4)

    def plain(match):
        return bytes([int(match[1], 8)]) if match[1] else match[2]

    pattern = re.compile(rb"\\(?:([0-3][0-7][0-7])|(.))", re.DOTALL)
    assert driver("unescape", *[(t,) for t in texts]) == [[pattern.sub(plain, t)] for t in texts]


def test_checks(driver):
    texts = [bytes([byte]) for byte in range(256)]
    texts += soup([b"a", b" ", b"\t", b'"', b"\r", b"\n", b"\0", b";", b"\x80", b","], 5)

    def expected(text):
        stripped = text.strip(b" \t")
        return [
            b"%d" % bool(re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+", text)),
            b"%d" % bool(re.fullmatch(rb"[0-9A-Za-z-]+", text)),
            b"%d" % bool(re.fullmatch(rb"[\t\x20-\x7e\x80-\xff]*", text)),
            b"%d" % bool(re.fullmatch(rb'("?)[!#-+\--:<-\[\]-~]*\1', text)),
            b"%d" % bool(re.fullmatch(rb"[\x20-:<-~]*", text)),
            stripped,
        ]

    assert driver("checks", *[(t,) for t in texts]) == [expected(t) for t in texts]


def test_same_name(driver):
    bytes_ = [bytes([byte]) for byte in range(256)]
    calls = [(a, b) for a in bytes_ for b in (b"a", b"A", b"@", b"[", b"{", b"z", b"\xc1", b"")]
    calls += [(b"Content-Length", b"cONTENT-lENGTH"), (b"a", b"ab"), (b"ab", b"a"), (b"", b"")]
    assert driver("same", *calls) == [[b"%d" % (a.lower() == b.lower())] for a, b in calls]


def test_dates(driver):
    source = random.Random(6)
    moments = [source.randrange(-62135596800, 253402300800) for _ in range(3000)]
    moments += [day * 86400 for day in range(-800, 20_000, 1)]
    shown = driver("date", *[(b"%d" % moment,) for moment in moments])
    for moment, text in zip(moments, shown, strict=True):
        if moment >= -(2**31):
            assert text[0].decode() == formatdate(moment, usegmt=True)
    for moment in (-62135596801, 253402300800, -(2**63), 2**63 - 1):
        assert driver("date", (b"%d" % moment,)) == [[b""]]


@pytest.mark.parametrize("flags", ["", "k", "0", "0k", "c", "ck", "dk", "d0"])
@pytest.mark.parametrize("status", [100, 101, 200, 204, 205, 304, 404, 599])
@pytest.mark.parametrize("length", [-1, 0, 7, 42, 2**63 - 1])
def test_replies(driver, flags, status, length):
    fields = b"A: b\r\nC: d\r\n"
    for reason, kind in ((b"", b""), (b"Because", b"text/plain")):
        call = (fields, b"%d" % status, reason, kind, b"%d" % length, flags.encode() + b".")
        [[text, fits]] = driver("reply", call)
        assert fits == b"1"
        lines = text.decode().split("\r\n")
        assert lines[-2:] == ["", ""]
        assert lines[0].startswith(f"HTTP/1.1 {status} {reason.decode()}")
        framed = status >= 200 and status != 204
        expected = ["A: b", "C: d"]
        expected += [f"Date: {DATE}"] * ("d" not in flags)
        expected += [f"Content-Type: {kind.decode()}"] * bool(kind)
        expected += ["Transfer-Encoding: chunked"] * (framed and "c" in flags)
        expected += [f"Content-Length: {length}"] * (framed and "c" not in flags and length >= 0)
        if status >= 200 and ("k" in flags) == ("0" in flags):
            expected += ["Connection: " + ("keep-alive" if "k" in flags else "close")]
        assert sorted(lines[1:-2]) == sorted(expected)


def classify(text, size):
    """-1: ignored, -2: not to be satisfied, 1: there are ranges."""
    found = re.fullmatch(rb"(?i:bytes)=(.*)", text, re.DOTALL)
    specs = [spec.strip(b" \t") for spec in found[1].split(b",")] if found else []
    specs = [spec for spec in specs if spec]
    if not 1 <= len(specs) <= 16:
        return -1
    inside = False
    for spec in specs:
        ends = re.fullmatch(rb"([0-9]*)-([0-9]*)", spec)
        if ends is None or spec == b"-":
            return -1
        first, last = (int(end[:99]) if end else None for end in ends.groups())
        if first is not None and last is not None and last < first:
            return -1
        inside = inside or (last > 0 if first is None else first < size)
    if not inside:
        return -2
    return 1 if size > 0 else -1


def test_ranges(driver):
    alphabet = [
        b"-",
        b"0",
        b"5",
        b"99",
        b",",
        b" ",
        b"\t",
        b"=",
        b"a",
        b"\0",
        b"-1,",
        b"7-8,",
        b"3-",
    ]
    texts = [b"bytes=" + text for text in soup(alphabet, 6, count=6000)]
    texts += soup([b"bytes", b"BYTES", b"=", b"0-1", b" ", b","], 7)
    texts += [b"bytes=" + b"0-0," * 16380, b"bytes=" + b"9" * 65000, b"bytes=-" + b"9" * 65000]
    for size in (0, 1, 50, 2**63 - 1):
        answers = driver("ranges", *[(text, b"%d" % size) for text in texts])
        for text, (first, *rest) in zip(texts, answers, strict=True):
            n = int(first)
            assert max(min(n, 1), -2) == classify(text, size), (text, size)
            ends = [int(end) for end in rest]
            assert all(0 <= a < b <= size for a, b in zip(ends[::2], ends[1::2], strict=True))


TAG = rb'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'


def listed(text, tag, strong):
    if text == b"*":
        return True
    at = re.match(rb"[ \t,]*", text).end()
    while found := re.compile(TAG).match(text, at):
        other = found[0]
        weak = other.startswith(b"W/") or tag.startswith(b"W/")
        same = other.removeprefix(b"W/") == tag.removeprefix(b"W/")
        if same and not (strong and weak):
            return True
        between = re.compile(rb"[ \t]*(?:,[ \t,]*|\Z)").match(text, found.end())
        if between is None:
            return False
        at = between.end()
    return False


def test_entity_tags(driver):
    texts = soup([b'"', b"W/", b"a", b'"a"', b'W/"a"', b",", b" ", b"\t", b"*", b"\0", b"\x80"], 8)
    texts += [b'"a" ' * 16000, b'"' * 65536, b"W/" * 32768, b'"b",' * 16000 + b'"a"']
    for tag in (b'"a"', b'W/"a"'):
        answers = driver("etags", *[(text, tag) for text in texts])
        for text, answer in zip(texts, answers, strict=True):
            assert answer == [
                b"%d" % bool(re.fullmatch(TAG, text)),
                b"%d" % listed(text, tag, False),
                b"%d" % listed(text, tag, True),
            ], text


def test_conditions(driver):
    """What a precondition with one field comes to: 0 send, 1 not modified, 2 failed."""
    then = 784111777
    dates = [formatdate(then + d, usegmt=True).encode() for d in (-1, 0, 1)]
    calls, expected = [], []
    for name, answers in {
        b"If-Modified-Since": (0, 1, 1),
        b"if-unmodified-since": (2, 0, 0),
        b"If-Unmodified-Sinc": (0, 0, 0),
    }.items():
        calls += [(date, name, b'"a"', b"%d" % then) for date in dates]
        expected += [[b"%d" % answer, b"1"] for answer in answers]
    for value, match, none_match, ranged in [
        (b'"a"', 0, 1, 1),
        (b'W/"a"', 2, 1, 0),
        (b'"b"', 2, 0, 0),
        (b"*", 0, 1, 0),
        (b"", 2, 0, 0),
        (dates[1], 2, 0, 1),
        (dates[0], 2, 0, 0),
    ]:
        names = (b"If-Match", b"IF-NONE-MATCH", b"If-Range")
        calls += [(value, name, b'"a"', b"%d" % then) for name in names]
        expected += [[b"%d" % match, b"1"], [b"%d" % none_match, b"1"], [b"0", b"%d" % ranged]]
    assert driver("conditions", *calls) == expected
