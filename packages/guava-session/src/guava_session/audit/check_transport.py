"""Checks of the way between site and browser: caches, and plain HTTP beside TLS."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from .client import Answer
from .errors import Unreachable
from .jar import set_cookies
from .report import Check, Outcome, Severity

if TYPE_CHECKING:
    from .run import Audit

CACHING = "OWASP Session Management: Web Content Caching; "


def directives(answer: Answer) -> set[str]:
    """The names in Cache-Control; a max-age of 0 counts as no-cache."""
    text = answer.get("Cache-Control").lower()
    found = {part.strip().partition("=")[0] for part in text.split(",")}
    if re.search(r"(?<!s-)max-age=0+(?!\d)", text):
        found = (found - {"max-age"}) | {"no-cache"}
    return found


def is_shared(answer: Answer) -> bool:
    """Whether the answer tells shared caches that they may keep it for all."""
    found = directives(answer)
    if found & {"private", "no-store", "no-cache"}:
        return False
    return bool(found & {"public", "s-maxage", "max-age"}) or (
        answer.get("Expires").strip() not in ("", "0", "-1") and "GMT" in answer.get("Expires")
    )


def shared_cookie(audit: Audit) -> Outcome:
    seen = 0
    for answer in audit.answers():
        if any(c.name == audit.cookie and not c.deletes for c in set_cookies(answer)):
            seen += 1
            if is_shared(answer):
                return Outcome.found(
                    f"{answer.url} sets the cookie, and permits caches to give it to others: "
                    f"Cache-Control: {answer.get('Cache-Control') or '(Expires)'}"
                )
    return Outcome.passed(f"no cache may keep one of {seen} answers that set the cookie")


def shared_page(audit: Audit) -> Outcome:
    answer = audit.user().whoami()
    varies = {name.strip().lower() for name in answer.get("Vary").split(",")}
    if is_shared(answer) and not varies & {"cookie", "*"}:
        return Outcome.found(
            f"the page of the user may be given to others: {answer.get('Cache-Control')}, and no "
            "Vary: Cookie"
        )
    if not varies & {"cookie", "*"} and not directives(answer) & {"private", "no-store"}:
        return Outcome.found(
            "the page of the user has neither Vary: Cookie nor Cache-Control: private",
            Severity.LOW,
        )
    return Outcome.passed("caches cannot take the user's page for everybody's")


def kept_page(audit: Audit) -> Outcome:
    answer = audit.user().whoami()
    if "no-store" in directives(answer):
        return Outcome.passed("the user's page is kept nowhere")
    return Outcome.found(
        "the user's page has no Cache-Control: no-store: after the logout the next one at the "
        "same computer may see it by the button Back"
    )


def hsts(audit: Audit) -> Outcome:
    answer = audit.visitor().ask(audit.site.url)
    if re.search(r"max-age=\"?0*[1-9]", answer.get("Strict-Transport-Security")):
        return Outcome.passed("browsers stay with TLS (Strict-Transport-Security)")
    return Outcome.found("no Strict-Transport-Security: the first request may go over plain HTTP")


def downgrade(audit: Audit) -> Outcome:
    site, plain = audit.site, audit.site.plain_http or ""
    if not site.login:
        return Outcome.untested("needs --login")
    user = audit.user()
    name = audit.with_id(audit.sid(user))
    try:
        page = urljoin(plain, urlsplit(site.at(site.whoami or "")).path)
        answer = audit.visitor().ask(page, follow=False, cookie=name)
    except Unreachable:
        return Outcome.passed(f"nothing answers at {plain}")
    if answer.status == 200 and (site.proof or "") in answer.text:
        return Outcome.found("the login works over plain HTTP as well, with the same cookie")
    return _planted(audit, plain)


def _planted(audit: Audit, plain: str) -> Outcome:
    page = audit.newcomer_page() or audit.site.url
    victim = audit.visitor()
    for address in (plain, urljoin(plain, urlsplit(page).path)):
        victim.ask(address, follow=False)
    given = audit.sid(victim)
    if not given:
        return Outcome.passed("plain HTTP gives no session cookie")
    secure = audit.bringing(given)
    secure.ask(page)
    if audit.sid(secure) == given:
        return Outcome.found("a cookie that was given over plain HTTP counts over TLS, too")
    return Outcome.passed("a cookie that was given over plain HTTP does not count over TLS")


CHECKS = (
    Check(
        "cache-cookie",
        Severity.MEDIUM,
        "looked whether caches may keep an answer that sets the cookie",
        "send Cache-Control: private or no-store with each Set-Cookie",
        CACHING + "RFC 9111, section 7.3; ASVS 4.0.3-8.1.1",
        (),
        shared_cookie,
        passive=True,
    ),
    Check(
        "cache-page",
        Severity.MEDIUM,
        "looked whether caches may give the user's page to others",
        "send Vary: Cookie, or Cache-Control: private, with all that depends on the session",
        CACHING + "RFC 9111, sections 4.1 and 7.3; ASVS 4.0.3-8.1.1",
        ("login",),
        shared_page,
    ),
    Check(
        "cache-history",
        Severity.LOW,
        "looked whether the browser may keep the user's page",
        "send Cache-Control: no-store with pages that only the user may see",
        CACHING + "ASVS 4.0.3-8.2.1",
        ("login",),
        kept_page,
    ),
    Check(
        "tls-hsts",
        Severity.LOW,
        "looked for Strict-Transport-Security",
        "send Strict-Transport-Security: max-age=31536000",
        "OWASP Session Management: Transport Layer Security; ASVS 4.0.3-14.4.5; RFC 6797",
        ("https",),
        hsts,
    ),
    Check(
        "tls-downgrade",
        Severity.MEDIUM,
        "used the cookie over plain HTTP, and one from there over TLS",
        "let plain HTTP only redirect to https, and set no cookie there",
        "OWASP Session Management: Transport Layer Security; ASVS 4.0.3-9.1.1; "
        "RFC 6265bis, section 8.6",
        ("https", "plain_http"),
        downgrade,
    ),
)
