"""Random calls with random arguments, some of which call back in the middle of things. Nothing is
asserted but that only ordinary exceptions come of it; under the sanitizers that says a lot."""

import copy
import gc
import pickle
import random

import pytest
from guava_http import (
    URL,
    Cookie,
    FileBody,
    Headers,
    QueryDict,
    Request,
    Response,
    best_encoding,
    best_language,
    best_match,
    format_content_type,
    http_date,
    parse_accept,
    parse_authorization,
    parse_content_type,
    parse_date,
    parse_options_header,
    quote,
    secure_filename,
    status_phrase,
    unquote,
)

STEPS = 8000
TEXTS = ["", "a", "A", "X-A", "host", "cookie", "set-cookie", "content-type", "é", "\u20ac"]
TEXTS += ["\ud800", "a\nb", "a=b; c=d", "/a?b=c", "*", "http://h/x", "%41%ff", "GET", "x" * 300]
TEXTS += ["text/html;q=0.5, */*", "gzip, br;q=0", "Basic YTpi", "a=b; Path=/; Secure", "accept"]
TEXTS += ["application/x-www-form-urlencoded", '"x\\054"', "Lax", "None", "__Host-a", "/"]
NUMBERS = [0, 1, -1, 200, 404, 2**63, 2**64, -5, 1e300, float("nan"), True, None]
KEYWORDS = ["method", "url", "path", "host", "body", "HEADERS", "GET", "POST", "COOKIES", "status"]
KEYWORDS += ["headers", "content_type", "reason", "name", "value", "max_age", "expires", "domain"]
KEYWORDS += ["accept", "offers", "safe", "domain", "partitioned", "httponly"]
KEYWORDS += ["secure", "samesite", "offset", "length", "date", "plus", "when", "default", "own"]
DUNDERS = ["__init__", "__contains__", "__or__", "__ior__", "__reduce__", "__enter__", "__exit__"]


class Fuzzer:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.pool = []
        self.depth = 0
        self.functions = [Request, Response, Headers, QueryDict, Cookie, Cookie.parse, FileBody]
        self.functions += [Response.json, Response.text, Response.html, Response.redirect]
        self.functions += [URL, QueryDict.parse, Cookie.from_header, parse_accept, best_match]
        self.functions += [best_language, best_encoding, parse_options_header, parse_date, quote]
        self.functions += [parse_authorization, parse_content_type, format_content_type]
        self.functions += [secure_filename]
        self.functions += [http_date, status_phrase, unquote, copy.copy, copy.deepcopy, repr, str]
        self.functions += [len, list, dict, hash, bool, self.compare, self.read, self.write]
        self.functions += [self.delete, lambda x: pickle.loads(pickle.dumps(x))]

    def compare(self, x):
        return x == self.value()

    def read(self, x):
        return x[self.value()]

    def write(self, x):
        x[self.value()] = self.value()

    def delete(self, x):
        del x[self.value()]

    def value(self, depth=0):
        kind = self.random.randrange(16)
        text = self.random.choice(TEXTS)
        if kind == 6:
            return text.encode("utf-8", "surrogatepass")
        if kind == 7:
            return self.random.choice(NUMBERS)
        if kind in (8, 9) and depth < 3:
            pairs = [
                (self.random.choice(TEXTS), self.value(depth + 1))
                for _ in range(self.random.randrange(4))
            ]
            return dict(pairs) if kind == 8 else pairs
        if kind == 10:
            return Meddler(self)
        if kind == 11:
            return MeddlingText(text).of(self)
        if kind == 12:
            return bytearray(b"abc")
        if kind >= 13 and self.pool:
            return self.random.choice(self.pool)
        return text

    def arguments(self):
        args = [self.value() for _ in range(self.random.choice([0, 1, 1, 2, 2, 3]))]
        count = self.random.choice([0, 0, 1, 2, 3])
        return args, {self.random.choice(KEYWORDS): self.value() for _ in range(count)}

    def act(self):
        args, kwargs = self.arguments()
        if not self.pool or self.random.random() < 0.5:
            return self.random.choice(self.functions)(*args, **kwargs)
        target = self.random.choice(self.pool)
        names = [name for name in dir(target) if not name.startswith("__") or name in DUNDERS]
        name = self.random.choice(names)
        if self.random.random() < 0.2:
            setattr(target, name, self.value())
        found = getattr(target, name)
        return found(*args, **kwargs) if callable(found) else found

    def step(self):
        try:
            made = self.act()
        except SystemError:  # an answer without an exception, or with one too many
            raise
        except Exception:
            return
        if type(made).__module__.startswith("guava_http"):
            self.pool.append(made)
            if len(self.pool) > 40:
                self.pool.pop(self.random.randrange(40))

    def meddle(self):
        """Called in the middle of something else."""
        if self.depth < 3:
            self.depth += 1
            for _ in range(self.random.randrange(3)):
                self.step()
            self.depth -= 1


class Meddler:
    def __init__(self, fuzzer):
        self.fuzzer = fuzzer

    def _meddle(self, result):
        self.fuzzer.meddle()
        return result

    def keys(self):
        return self._meddle(["a", "b"])

    def items(self):
        return self._meddle([("a", "1"), ("b", ["2", "3"])])

    def utctimetuple(self):
        return self._meddle((2020, 1, 1, 0, 0, 0))

    def total_seconds(self):
        return self._meddle(5.5)

    def __getitem__(self, key):
        return self._meddle("value")

    def __iter__(self):
        return self._meddle(iter([("x", "y")]))

    def __bool__(self):
        return self._meddle(True)

    def __eq__(self, other):
        return self._meddle(False)

    def __hash__(self):
        return self._meddle(3)

    def __repr__(self):
        return self._meddle("meddler")

    def __fspath__(self):
        return self._meddle(__file__)


class MeddlingText(str):
    def of(self, fuzzer):
        self.fuzzer = fuzzer
        return self

    def lower(self):
        self.fuzzer.meddle()
        return "zz"

    def __eq__(self, other):
        self.fuzzer.meddle()
        return str.__eq__(self, other)

    def __hash__(self):
        self.fuzzer.meddle()
        return str.__hash__(self)


# Coroutines that nobody awaits, and True for a file descriptor.
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("seed", range(3))
def test_random_calls(seed):
    fuzzer = Fuzzer(seed)
    for _ in range(STEPS):
        fuzzer.step()
    made = {type(value).__name__ for value in fuzzer.pool}
    gc.collect()
    assert len(made) >= 4, made
