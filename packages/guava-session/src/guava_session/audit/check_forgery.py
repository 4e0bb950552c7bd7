"""Checks of forged requests (CSRF): what a page of another site can make a browser send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .report import Check, Outcome, Severity
from .visitor import FOREIGN, SANDBOXED, Visitor

if TYPE_CHECKING:
    from .run import Audit

SOURCE = "OWASP Cross-Site Request Forgery Prevention; ASVS 4.0.3-4.2.2"


def _works(audit: Audit, visitor: Visitor) -> str:
    """Why a write as the site's own pages send it does not work; "" if it does."""
    marker = audit.marker()
    answer = visitor.write("audit", marker, visitor.write_form().hidden)
    if marker in visitor.read():
        return ""
    return (
        f"a write as it was described answered {answer.status} and changed nothing "
        "(--write, --write-form, --read)"
    )


def login(audit: Audit) -> Outcome:
    for what, headers in (("another site", FOREIGN), ("a sandboxed frame", SANDBOXED)):
        victim = audit.visitor()
        victim.forge_login(headers)
        if victim.is_known():
            return Outcome.found(
                f"a form of {what}, without a token, logs a browser in: under the attacker's "
                "name, if it is sent with that"
            )
    return Outcome.passed("a login that another site sends is refused")


def write(audit: Audit) -> Outcome:
    if audit.site.write_method == "GET":
        return Outcome.untested("the session is changed by GET; see csrf-get")
    victim = audit.writer()
    problem = _works(audit, victim)
    if problem:
        return Outcome.untested(problem)
    kept = victim.without_token(victim.write_form().hidden)
    for what, headers in (("another site", FOREIGN), ("a sandboxed frame", SANDBOXED)):
        marker = audit.marker()
        victim.write("audit", marker, kept, headers)
        if marker in victim.read():
            return _forged(audit, f"a form of {what}, without a token, changes the session")
    return Outcome.passed("what another site sends, without a token, changes nothing")


def _forged(audit: Audit, seen: str) -> Outcome:
    found = [cookie.attributes.get("samesite", "").lower() for cookie in audit.cookies()]
    if found and all(value in ("lax", "strict") for value in found):
        return Outcome.found(
            f"{seen}; SameSite={found[0].capitalize()} keeps browsers from sending the cookie "
            "along from other sites, but not from the site's own sub-domains",
            Severity.LOW,
        )
    return Outcome.found(seen)


def by_get(audit: Audit) -> Outcome:
    if audit.site.write_method == "GET":
        seen = "the session is changed by GET, as it was described"
        return Outcome.found(seen)
    victim = audit.writer()
    problem = _works(audit, victim)
    if problem:
        return Outcome.untested(problem)
    kept, marker = victim.without_token(victim.write_form().hidden), audit.marker()
    victim.write("audit", marker, kept, FOREIGN, method="GET")
    if marker in victim.read():
        return Outcome.found("a GET changes the session, too")
    return Outcome.passed("a GET changes nothing")


def other_token(audit: Audit) -> Outcome:
    # The attacker first: some sites permit one login at a time.
    theirs = audit.writer().write_form().hidden
    victim = audit.writer()
    problem = _works(audit, victim)
    if problem:
        return Outcome.untested(problem)
    marker = audit.marker()
    if not theirs or theirs == victim.without_token(theirs):
        return Outcome.untested("the form has no hidden field (--write-form, --csrf-field)")
    victim.write("audit", marker, victim.without_token(theirs), FOREIGN)
    if marker in victim.read():
        return Outcome.untested("no token is needed at all; see csrf-write")
    victim.write("audit", marker, theirs, FOREIGN)
    if marker in victim.read():
        return Outcome.found("the token of another session counts in this one")
    return Outcome.passed("the token of another session does not count")


CHECKS = (
    Check(
        "csrf-login",
        Severity.MEDIUM,
        "sent the login form as a page of another site can: without its token and cookies",
        "protect the login form like any other: a token, or refuse a foreign Origin",
        SOURCE,
        ("login",),
        login,
    ),
    Check(
        "csrf-write",
        Severity.HIGH,
        "sent a change as a page of another site can: without its token",
        "ask for a token of the session with each change, or refuse a foreign Origin",
        SOURCE,
        ("write",),
        write,
    ),
    Check(
        "csrf-get",
        Severity.HIGH,
        "sent a change by GET, without a token",
        "change nothing by GET: links and images of any site send it, with SameSite=Lax cookies",
        SOURCE + "; RFC 9110, section 9.2.1",
        ("write",),
        by_get,
    ),
    Check(
        "csrf-other-token",
        Severity.HIGH,
        "sent a change with the token of another visitor's session",
        "bind tokens to the session they are for",
        SOURCE,
        ("write",),
        other_token,
    ),
)
