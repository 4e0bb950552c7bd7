"""Checks of the session cookie's attributes, over all that were set during the audit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import ConfigError
from .form import find_forms
from .jar import SetCookie
from .report import Check, Function, Outcome, Severity

if TYPE_CHECKING:
    from .run import Audit

LONGEST = 30 * 24 * 3600  # seconds

SHEET = "OWASP Session Management: "


def _cookies(audit: Audit) -> list[SetCookie]:
    found = audit.cookies()
    if not found:
        raise ConfigError(f"the site never set the cookie {audit.cookie}")
    return found


def _where(cookies: list[SetCookie]) -> str:
    pages = list(dict.fromkeys(cookie.url for cookie in cookies))
    return f"set by {pages[0]}" + (f" and {len(pages) - 1} more" if len(pages) > 1 else "")


def http_only(audit: Audit) -> Outcome:
    bad = [cookie for cookie in _cookies(audit) if "httponly" not in cookie.attributes]
    if bad:
        return Outcome.found(f"the cookie has no HttpOnly ({_where(bad)})")
    return Outcome.passed("HttpOnly: scripts cannot read it")


def secure(audit: Audit) -> Outcome:
    over_tls = [cookie for cookie in _cookies(audit) if cookie.url.startswith("https:")]
    bad = [cookie for cookie in over_tls if "secure" not in cookie.attributes]
    if bad:
        return Outcome.found(f"the cookie has no Secure ({_where(bad)})")
    return Outcome.passed("Secure: it is sent over TLS only")


def same_site(audit: Audit) -> Outcome:
    for cookie in _cookies(audit):
        value = cookie.attributes.get("samesite", "").lower()
        if value == "none":
            return Outcome.found(
                f"SameSite=None: all sites' requests carry it ({_where([cookie])})",
                Severity.MEDIUM,
            )
        if value not in ("lax", "strict"):
            return Outcome.found(
                f"no SameSite, and not every browser takes that as Lax ({_where([cookie])})"
            )
    return Outcome.passed(f"SameSite={value.capitalize()}")


def prefix(audit: Audit) -> Outcome:
    _cookies(audit)
    if audit.cookie.startswith("__Host-"):
        return Outcome.passed("__Host-: no sub-domain and no plain HTTP can plant it")
    return Outcome.found(f"{audit.cookie} could be planted by a sub-domain, or over plain HTTP")


def scope(audit: Audit) -> Outcome:
    for cookie in _cookies(audit):
        if cookie.domain.startswith("."):
            return Outcome.found(f"Domain={cookie.domain[1:]}: all hosts below it are sent it")
    paths = {cookie.path for cookie in _cookies(audit)}
    return Outcome.passed(f"this host only, below {' and '.join(sorted(paths))}")


def lifetime(audit: Audit) -> Outcome:
    longest = max((cookie.lifetime or 0.0) for cookie in _cookies(audit))
    if longest > LONGEST + 60:
        return Outcome.found(f"the browser keeps it for {longest / 86400:.0f} days")
    if longest:
        return Outcome.passed(f"the browser keeps it for {longest / 86400:.1f} days")
    return Outcome.passed("the browser forgets it when it is closed")


def unneeded(audit: Audit) -> Outcome:
    visitor = audit.visitor()
    answer = visitor.ask(audit.site.url)
    if not audit.sid(visitor):
        return Outcome.passed("the start page sets no session cookie")
    if any(form.hidden for form in find_forms(answer.text)):
        return Outcome.passed("the start page has a form with a token, which needs a session")
    return Outcome.found("the start page gives every newcomer a session")


def _check(
    name: str,
    severity: Severity,
    advice: str,
    source: str,
    needs: tuple[str, ...],
    function: Function,
) -> Check:
    did = "looked at all session cookies that the site set"
    return Check(f"cookie-{name}", severity, did, advice, SHEET + source, needs, function, True)


CHECKS = (
    _check(
        "httponly",
        Severity.MEDIUM,
        "add HttpOnly, so that a script that was smuggled in cannot read the cookie",
        "HttpOnly Attribute; ASVS 4.0.3-3.4.2; RFC 6265bis, section 4.1.2.6",
        (),
        http_only,
    ),
    _check(
        "secure",
        Severity.HIGH,
        "add Secure, so that the cookie never goes over the network unencrypted",
        "Secure Attribute; ASVS 4.0.3-3.4.1; RFC 6265bis, section 4.1.2.5",
        ("https",),
        secure,
    ),
    _check(
        "samesite",
        Severity.LOW,
        "add SameSite=Lax or SameSite=Strict",
        "SameSite Attribute; ASVS 4.0.3-3.4.3; RFC 6265bis, section 4.1.2.7",
        (),
        same_site,
    ),
    _check(
        "prefix",
        Severity.LOW,
        "call it __Host-..., with Secure, Path=/ and no Domain",
        "Session ID Name Fingerprinting; ASVS 4.0.3-3.4.4; RFC 6265bis, section 4.1.3.2",
        ("https",),
        prefix,
    ),
    _check(
        "scope",
        Severity.MEDIUM,
        "leave Domain out, so that the cookie is this host's alone",
        "Domain and Path Attributes; RFC 6265bis, sections 4.1.2.3 and 8.6",
        (),
        scope,
    ),
    _check(
        "lifetime",
        Severity.LOW,
        "leave Max-Age and Expires out, or make it days, not months",
        "Expire and Max-Age Attributes; ASVS 4.0.3-3.3.2",
        (),
        lifetime,
    ),
    Check(
        "cookie-unneeded",
        Severity.LOW,
        "visited the start page without a cookie",
        "begin a session when there is something to keep: each takes memory, and spoils caches",
        SHEET + "Web Content Caching; RFC 9111, section 7.3",
        (),
        unneeded,
    ),
)
