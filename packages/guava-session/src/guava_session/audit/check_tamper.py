"""Checks of cookies that are not as the site made them: changed, cut, stretched, nonsense."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .check_login import STRICT
from .errors import Refused, Unreachable
from .report import Check, Outcome, Severity

if TYPE_CHECKING:
    from .run import Audit

#: Of a longer value not every character is changed, but this many all over it.
MOST = 160

INPUT = "OWASP Session Management: Manage Session ID as Any Other User Input; "


@dataclass(slots=True)
class Tampered:
    """What the site made of them."""

    tried: int = 0
    accepted: list[str] = field(default_factory=list)  #: what was done to them
    failed: list[str] = field(default_factory=list)
    locked: bool = False  #: whether the cookie as it was is worth nothing any more


def tampered(audit: Audit) -> Tampered:
    """Send all of them, once for both checks."""
    found = audit.memo.get("tampered")
    if not isinstance(found, Tampered):
        found = Tampered()
        sid = audit.sid(audit.user())
        for what, cookie, counts in variants(audit.cookie, sid):
            _try(audit, found, what, audit.together(cookie), counts)
        found.locked = not audit.visitor().is_known(audit.with_id(sid))
        audit.memo["tampered"] = found
    if found.locked and not (found.accepted or found.failed):
        raise Refused(
            "the site has locked the audit out, or ended the session: the cookie as it was is not "
            "logged in either"
        )
    return found


def _try(audit: Audit, found: Tampered, what: str, cookie: str, counts: bool) -> None:
    try:
        answer = audit.visitor().whoami(cookie)
    except Unreachable:
        # Breaking off is an answer to what is no HTTP; but is the site still there?
        audit.visitor().ask(audit.site.url)
        found.tried += 1
        return
    found.tried += 1
    if answer.status >= 500:
        found.failed.append(f"{what} ({answer.status})")
    elif counts and answer.status == 200 and (audit.site.proof or "") in answer.text:
        found.accepted.append(what)


def variants(name: str, sid: str) -> list[tuple[str, str, bool]]:
    """What was done, the Cookie field, and whether a login with it is a fault."""
    found = []

    def add(what: str, value: str, counts: bool = True) -> None:
        if value != sid:
            found.append((what, f"{name}={value}", counts))

    step = max(1, -(-len(sid) // MOST))
    for n in range(0, len(sid), step):
        add(f"character {n + 1} changed", sid[:n] + other(sid[n]) + sid[n + 1 :])
    add("the last character cut off", sid[:-1])
    add("the first half only", sid[: len(sid) // 2])
    add("a character behind it", sid + "A")
    add("itself behind it", sid + sid)
    add("turned round", sid[::-1])
    # Of hexadecimal digits either case may do; elsewhere it makes fewer ids.
    add("in other case", sid.swapcase(), sid.upper() != sid != sid.lower())
    for what, value in unsigned(sid):
        add(what, value)
    add("nothing", "")
    add("one dot", ".")
    add("6000 characters", "A" * 6000)
    add("other characters", "!#$%&'*+-^_`|~()[]{}<>")
    add("bytes that are no UTF-8", "\xff\xfe" + sid)
    add("a NUL", f"{sid[:-1]}\0")
    add("a NUL behind it", f"{sid}%00")
    add("percents", "%n%s%x%2e%2e%2f%zz%")
    add("a path", "../../../../etc/passwd")
    add("an SQL condition", "'or'1'='1")
    add("a number", "-99999999999999999999")
    add("JSON", '{"user":1}')
    add("a pickle", "gASVBAAAAAAAAABLAS4=")
    add("quotes", f'"{sid}"', False)
    # Which of two counts is the site's affair.
    found.append(("it and nonsense", f"{name}={sid}; {name}=x", False))
    found.append(("nonsense and it", f"{name}=x; {name}={sid}", False))
    found.append(("a hundred of them", "; ".join([f"{name}=x"] * 100), False))
    found.append(("no equals sign", f"{name}; =; ;;{name}", False))
    return found


def other(character: str) -> str:
    """Another character of the same alphabet, with other high bits than this one has in base64:
    the low bits of a last character may mean nothing."""
    alphabets = (
        "0123456789abcdef",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    )
    for alphabet in alphabets:
        n = alphabet.find(character)
        if n >= 0:
            return alphabet[n ^ (len(alphabet) // 2)]
    return "A"


def unsigned(sid: str) -> list[tuple[str, str]]:
    """The parts of a signed value without its signature, and a JWT that claims to need none."""
    found = []
    for mark in (".", ":", "|", "--"):
        head, found_mark, tail = sid.rpartition(mark)
        if found_mark:
            found.append(("the part behind the last mark cut off", head))
            found.append(("that part emptied", head + found_mark))
            found.append(("that part made A", head + found_mark + "A" * len(tail)))
    jwt = re.fullmatch(r"([\w-]+)\.([\w-]+)\.[\w-]+", sid)
    if jwt:
        for algorithm in ("none", "None"):
            text = json.dumps({"typ": "JWT", "alg": algorithm}).encode()
            head = base64.urlsafe_b64encode(text).rstrip(b"=").decode()
            found.append((f"a JWT of algorithm {algorithm}", f"{head}.{jwt[2]}."))
    return found


def changed(audit: Audit) -> Outcome:
    found = tampered(audit)
    if found.accepted:
        more = f", and {len(found.accepted) - 4} more" if len(found.accepted) > 4 else ""
        return Outcome.found(f"still logged in: {', '.join(found.accepted[:4])}{more}")
    return Outcome.passed(f"none of {found.tried} changed cookies is logged in")


def errors(audit: Audit) -> Outcome:
    found = tampered(audit)
    if found.failed:
        more = f", and {len(found.failed) - 4} more" if len(found.failed) > 4 else ""
        return Outcome.found(f"a server error: {', '.join(found.failed[:4])}{more}")
    return Outcome.passed(f"none of {found.tried} changed cookies made the site fail")


CHECKS = (
    Check(
        "tamper",
        Severity.HIGH,
        "changed the cookie of a login: each character in turn, cut, stretched, unsigned",
        "look ids up whole, and check signatures over all of the value before anything is read",
        STRICT + "ASVS 4.0.3-3.5.3",
        ("login",),
        changed,
    ),
    Check(
        "tamper-error",
        Severity.MEDIUM,
        "sent the same changed cookies, and nonsense, twice and a hundred times",
        "check the shape of the value first, and treat all else as no cookie",
        INPUT + "ASVS 4.0.3-5.1.3, 7.4.1",
        ("login",),
        errors,
    ),
)
