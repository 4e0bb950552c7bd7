"""What reads a client's text, at lengths of one, two and three: run under callgrind, which cuts
its counts at getppid(2). test_gates_linear.py compares them; a difference that grows from one
step to the next is time that grows with more than the length."""

import gc
import os
import sys

from guava_http import (
    URL,
    Cookie,
    QueryDict,
    best_encoding,
    best_language,
    best_match,
    parse_accept,
    parse_authorization,
    parse_content_type,
    parse_options_header,
    secure_filename,
    unquote,
)

BASE = URL("http://h/")
STEP = 300
"""Pieces in each step. Enough that a square would show, few enough that callgrind is soon done."""


def unless_refused(call):
    def read(text):
        try:
            call(text)
        except ValueError:
            pass

    return read


# Each: a function of a text, what the text begins with, and the piece that is repeated.
READERS = {
    "accept": (parse_accept, "", "a/b;c=d;q=0.5,"),
    "accept, quotes": (parse_accept, "", 'a/b;c="'),
    "accept, backslashes": (parse_accept, 'a/b;c="', "\\"),
    "accept, empty": (parse_accept, "", ",;"),
    "best match": (lambda text: best_match(text, ["x/y;z=1", "a/b"]), "", "x/y;z=2;w=1,"),
    "best match, parameters": (lambda text: best_match(text, ["x/y;z=1"]), "x/y", ";z=1"),
    "best language": (lambda text: best_language(text, ["de", "en"]), "de;q=0", ",de-CH;q=0.1"),
    "best encoding": (lambda text: best_encoding(text, ["gzip", "br"]), "", "x-gzip;q=0,"),
    "options": (parse_options_header, "a", ";b*=UTF-8''%41%42"),
    "options, one name": (parse_options_header, "a", ";b=c"),
    "options, no end": (parse_options_header, 'a;b="', ';"\\'),
    "content type": (parse_content_type, "a/b", "; c=d"),
    "cookies": (Cookie.parse, "", "a=b; "),
    "cookies, quotes": (Cookie.parse, "", 'a="\\"'),
    "set-cookie": (unless_refused(Cookie.from_header), "a=b", "; Expires=06 Nov 94 x"),
    "query": (unless_refused(QueryDict.parse), "", "a=%20&"),
    "query, empty": (QueryDict.parse, "", "&&="),
    "unquote": (unquote, "", "%4%41"),
    "authorization": (parse_authorization, "Digest ", 'a="\\",'),
    "authorization, commas": (parse_authorization, "Digest ", " , "),
    "authorization, basic": (parse_authorization, "Basic ", "YTpi"),
    "URL": (URL, "/", "a/../%41|"),
    "URL, not plain": (URL, "http://h:1/", "%4a%"),
    "URL, not plain at its end": (lambda text: URL(text + "|"), "/", "%41a"),
    "URL, host": (unless_refused(URL), "http://", "a.0."),
    "URL, host of digits": (unless_refused(URL), "http://", "1."),
    "URL, users": (unless_refused(URL), "http://", "a:@"),
    "URL, join": (BASE.join, "/", "a/../b/./"),
    "URL, human": (lambda text: URL(text).human(), "/", "%C3%A9%FF"),
    "file name": (secure_filename, "", "a/.. \\"),
    "file name, dots": (secure_filename, "a", ". "),
}

gc.disable()  # it would run in one length and not in the next
for call, start, piece in READERS.values():
    call(start + piece * 3 * STEP)  # caches, and memory that the allocator keeps
for call, start, piece in READERS.values():
    for steps in (1, 2, 3):
        text = start + piece * (steps * STEP)
        os.getppid()
        call(text)
os.getppid()
sys.stdout.write("\n".join(READERS))
