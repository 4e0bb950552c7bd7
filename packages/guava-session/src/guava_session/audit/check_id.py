"""Checks of the ids: can they be guessed, made up, or seen where they do not belong."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from urllib.parse import quote

from .check_login import STRICT
from .errors import ConfigError
from .ids import Analysis, analyse
from .report import Check, Outcome, Severity

if TYPE_CHECKING:
    from .run import Audit

#: Bits that OWASP and ASVS 4 ask for, and what ASVS 5 and NIST do.
LEAST, GOOD = 64, 128


def _analysis(audit: Audit) -> Analysis:
    found = audit.memo.get("analysis")
    if isinstance(found, Analysis):
        return found
    samples = audit.samples()
    if len(samples) < 2:
        raise ConfigError("the site gives newcomers no session; describe a login (--login)")
    values = [sample.value for sample in samples]
    name = audit.site.username
    found = analyse(values, [sample.time for sample in samples], [name] if name else [])
    audit.memo["analysis"] = found
    return found


def entropy(audit: Audit) -> Outcome:
    found = _analysis(audit)
    n = len(audit.samples())
    if found.content:
        return Outcome.untested("the cookie holds the session itself, not an id; see id-readable")
    shape = f"{n} ids of {found.length} characters, {found.alphabet}"
    if found.problems:
        return Outcome.untested(f"{shape}; they can be predicted, see id-predictable")
    if found.bits < LEAST:
        return Outcome.found(f"{shape}: at most {found.bits:.0f} bits differ")
    if found.bits < GOOD:
        seen = f"{shape}: at most {found.bits:.0f} bits differ; ASVS 5.0 asks for {GOOD}"
        return Outcome.found(seen, Severity.LOW)
    return Outcome.passed(f"{shape}: up to {found.bits:.0f} bits differ")


def predictable(audit: Audit) -> Outcome:
    found = _analysis(audit)
    if found.content:
        return Outcome.untested("the cookie holds the session itself, not an id; see id-readable")
    if found.problems:
        return Outcome.found("; ".join(found.problems))
    return Outcome.passed(
        f"{len(audit.samples())} ids: none twice, no counter, no time, no digest of these, no "
        "character too often. That proves no good generator; the code does"
    )


def readable(audit: Audit) -> Outcome:
    found = _analysis(audit)
    if found.encrypted:
        return Outcome.passed("the cookie holds the session, and what it holds looks encrypted")
    if found.content:
        return Outcome.found(
            f"the cookie holds {len(found.content)} characters or more of JSON, which everybody "
            "reads who sees it"
        )
    return Outcome.passed("the cookie holds nothing that can be read")


def guess(audit: Audit) -> Outcome:
    """Values that everybody knows, in the place of the id."""
    user, name = audit.log_in(), audit.site.username or ""
    values = {"1": "1", "0": "0", "true": "true", "null": "null", "admin": "admin"}
    values |= {"the user's name": name}
    for method in ("md5", "sha1", "sha256"):
        digest = hashlib.new(method, name.encode(), usedforsecurity=False).hexdigest()
        values[f"the {method} of the user's name"] = digest
    for cookie in user.jar.names():
        if cookie != audit.cookie:
            values[f"the value of the cookie {cookie}"] = user.jar.get(cookie) or ""
    form = user.hidden(audit.site.login)
    values |= {f"the hidden field {k}": v for k, v in form.hidden.items() if v}
    for what, value in values.items():
        if audit.visitor().is_known(audit.with_id(quote(value))):
            return Outcome.found(f"{what} counts as the id of a session that is logged in")
    return Outcome.passed(f"{len(values)} values that others know count as no id")


def adopted(audit: Audit) -> Outcome:
    page = audit.newcomer_page()
    if not page:
        return _adopted_later(audit)
    newcomer = audit.visitor()
    newcomer.ask(page)
    real = audit.sid(newcomer)
    made_up = audit.made_up(real)
    visitor = audit.bringing(made_up)
    visitor.ask(page)
    if audit.sid(visitor) != made_up:
        return Outcome.passed("an id that the site has not made was replaced")
    kept = "a newcomer gets an id of the site's; one with a made-up id keeps that"
    if audit.site.write and _keeps(audit, made_up):
        return Outcome.found(f"{kept}, and a session under it")
    if audit.site.write and _keeps(audit, real):
        return Outcome.passed("a made-up id was not replaced, but nothing is kept under it")
    return Outcome.found(f"{kept}; whether it is a session could not be seen", Severity.MEDIUM)


def _adopted_later(audit: Audit) -> Outcome:
    """Where newcomers get no session: with the first write, or the login."""
    site = audit.site
    if not site.login:
        return Outcome.untested("the site gives newcomers no session; describe a login (--login)")
    made_up = audit.made_up(audit.sid(audit.user()))
    if site.write and _keeps(audit, made_up):
        return Outcome.found("what was written under a made-up id was kept under it")
    visitor = audit.bringing(made_up)
    visitor.log_in()
    if audit.sid(visitor) == made_up:
        return Outcome.found("a made-up id became that of the login")
    return Outcome.passed("a login with a made-up id gave another one")


def _keeps(audit: Audit, sid: str) -> bool:
    """Whether two browsers that bring an id share a session, without a login."""
    marker, visitor = audit.marker(), audit.bringing(sid)
    visitor.write("audit", marker, visitor.write_form().hidden)
    shared = marker in audit.bringing(sid).read()
    return shared and marker not in audit.visitor().read()  # else it is everybody's


def in_url(audit: Audit) -> Outcome:
    user = audit.user()
    sid, page = quote(audit.sid(user)), audit.site.whoami or ""
    mark = "&" if "?" in page else "?"
    for address in (f"{page}{mark}{audit.cookie}={sid}", f"{page};{audit.cookie}={sid}"):
        answer = audit.visitor().whoami(address=address)
        if answer.status == 200 and (audit.site.proof or "") in answer.text:
            return Outcome.found("without a cookie, with the id in the address, one is logged in")
    return Outcome.passed("an id in the address counts for nothing")


def in_page(audit: Audit) -> Outcome:
    values = {cookie.value for cookie in audit.cookies() if len(cookie.value) >= 8}
    for answer in audit.answers():
        if any(value in answer.url for value in values):
            continue  # one of in_url's, whose page may say what was asked for
        location, text = answer.get("Location"), answer.text
        if any(value in location for value in values):
            return Outcome.found(f"{answer.url[:60]} redirects to an address with the id in it")
        if any(value in text for value in values):
            return Outcome.found(f"the page {answer.url[:60]} shows the id, to scripts, too")
    return Outcome.passed(f"no id in {len(audit.answers())} pages and redirects")


CHECKS = (
    Check(
        "id-entropy",
        Severity.HIGH,
        "compared the ids that the site gave to different visitors",
        "make ids of 16 random bytes or more of the operating system's (secrets.token_urlsafe)",
        "OWASP Session Management: Session ID Entropy; ASVS 4.0.3-3.2.2; ASVS 5.0.0-7.2.3",
        (),
        entropy,
    ),
    Check(
        "id-predictable",
        Severity.HIGH,
        "looked for counters, times, digests of these, repeats, characters that come too often",
        "make ids of the operating system's randomness alone (secrets.token_urlsafe)",
        "OWASP Session Management: Session ID Content; ASVS 4.0.3-3.2.4",
        (),
        predictable,
    ),
    Check(
        "id-readable",
        Severity.LOW,
        "decoded the cookie",
        "keep sessions on the server, or encrypt them; signing alone hides nothing",
        "OWASP Session Management: Session ID Content; ASVS 4.0.3-8.2.2",
        (),
        readable,
    ),
    Check(
        "id-guess",
        Severity.HIGH,
        "sent names, their digests, other cookies and CSRF tokens as the id of a session",
        "accept ids only that the site has made at random",
        "OWASP Session Management: Session ID Content; ASVS 4.0.3-3.2.4",
        ("login",),
        guess,
    ),
    Check(
        "id-adopted",
        Severity.HIGH,
        "came with a made-up id of the right shape (session fixation)",
        "give whoever brings an unknown id a new one",
        STRICT + "RFC 6265bis, section 8.4",
        (),
        adopted,
    ),
    Check(
        "id-in-url",
        Severity.HIGH,
        "sent the id in the address in place of the cookie",
        "take ids from the cookie alone: addresses end in logs, histories and Referer fields",
        "OWASP Session Management: Used vs. Accepted Session ID Exchange Mechanisms; "
        "ASVS 4.0.3-3.1.1",
        ("login",),
        in_url,
    ),
    Check(
        "id-in-page",
        Severity.HIGH,
        "looked for the ids in all pages and redirects that came",
        "show the id nowhere; where a script needs a secret, give it a CSRF token",
        "OWASP Session Management: HttpOnly Attribute; ASVS 4.0.3-3.1.1",
        (),
        in_page,
        passive=True,
    ),
)
