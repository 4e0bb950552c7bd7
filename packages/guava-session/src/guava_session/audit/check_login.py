"""Checks of login and logout: fixation, what becomes of the old id, replay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import ConfigError
from .report import Check, Outcome, Severity
from .visitor import FOREIGN, Visitor

if TYPE_CHECKING:
    from .run import Audit

RENEW = "OWASP Session Management: Renew the Session ID After Any Privilege Level Change; "
STRICT = "OWASP Session Management: Permissive and Strict Session Management; "
EXPIRE = "OWASP Session Management: Manual Session Expiration; "


def _victim(audit: Audit) -> tuple[Visitor, str]:
    """A browser that had an id of the site's before it logged in, and that id, "" without one."""
    victim = audit.newcomer()
    planted = audit.sid(victim)
    victim.log_in()
    return victim, planted


def rotation(audit: Audit) -> Outcome:
    victim, planted = _victim(audit)
    if not planted:
        # A made-up id that lives on is the finding of id-adopted.
        return Outcome.passed("there is no session before the login, so none can be planted")
    audit.memo["rotates"] = audit.sid(victim) != planted
    if audit.memo["rotates"]:
        return Outcome.passed("the login gave a new id in place of one that was planted before")
    return Outcome.found("the id that the visitor came with is the id of the login")


def old_id(audit: Audit) -> Outcome:
    victim, planted = _victim(audit)
    if not planted:
        return Outcome.passed("there is no session before the login")
    if audit.sid(victim) == planted:
        return Outcome.untested("the login keeps the old id; see login-rotation")
    if audit.visitor().is_known(audit.with_id(planted)):
        return Outcome.found("the id from before the login is logged in, too, beside the new one")
    return Outcome.passed("the id from before the login is not logged in")


def relogin(audit: Audit) -> Outcome:
    user, names = audit.log_in(), (audit.site.password_field,)
    old = audit.sid(user)
    forms = [v.hidden(audit.site.login, names).fields for v in (audit.visitor(), user)]
    if forms[0] and not forms[1]:
        return Outcome.untested("who is logged in is shown no form to log in")
    answer = user.log_in()
    if answer.status >= 400:
        return Outcome.untested(f"a second login answered {answer.status}")
    if audit.memo.get("rotates") is False:
        return Outcome.untested("the login keeps any id; see login-rotation")
    if audit.sid(user) == old:
        return Outcome.found("a second login keeps the id of the first")
    if audit.visitor().is_known(audit.with_id(old)):
        return Outcome.found("after a second login in the same browser the id of the first lives")
    return Outcome.passed("a second login ended the id of the first")


def replay(audit: Audit) -> Outcome:
    user = audit.log_in()
    old = audit.sid(user)
    _log_out(user)
    if user.is_known():
        return Outcome.found("the logout ended nothing: the same browser is still logged in")
    audit.memo["ends"] = not audit.visitor().is_known(audit.with_id(old))
    if not audit.memo["ends"]:
        return Outcome.found("a copy of the cookie, sent after the logout, is still logged in")
    return Outcome.passed("a copy of the cookie is worth nothing after the logout")


def _log_out(user: Visitor) -> None:
    status = user.log_out().status
    if status >= 400 and user.is_known():
        raise ConfigError(
            f"the logout answered {status}; is it described (--logout-method, --logout-form)?"
        )


def logout_cookie(audit: Audit) -> Outcome:
    user = audit.log_in()
    old = audit.sid(user)
    _log_out(user)
    if audit.sid(user) != old:
        return Outcome.passed("the logout deleted or replaced the cookie")
    return Outcome.found("the browser keeps the cookie of the session that has ended")


def logout_forged(audit: Audit) -> Outcome:
    user, path = audit.log_in(), audit.site.logout or ""
    user.ask(path, headers=FOREIGN, follow=False)
    if not user.is_known():
        return Outcome.found("a GET, which any image on any page can send, logs the user out")
    user.forge_logout(FOREIGN)
    if not user.is_known():
        return Outcome.found("a POST from another site and without a token logs the user out")
    return Outcome.passed("neither a GET nor a POST from another site logs the user out")


CHECKS = (
    Check(
        "login-rotation",
        Severity.HIGH,
        "logged in with a browser that had an id of the site's already (session fixation)",
        "give the session a new id at login, and whenever rights change",
        RENEW + "ASVS 4.0.3-3.2.1",
        ("login",),
        rotation,
    ),
    Check(
        "login-old-id",
        Severity.HIGH,
        "used the id from before the login, after it",
        "end the old id when the new one is made",
        RENEW + "ASVS 4.0.3-3.2.1",
        ("login",),
        old_id,
    ),
    Check(
        "login-again",
        Severity.LOW,
        "logged in twice with one browser, and used the id of the first login",
        "give a new id with each login, and end the one that it replaces",
        RENEW + "ASVS 4.0.3-3.2.1; ASVS 5.0.0-7.2.4",
        ("login",),
        relogin,
    ),
    Check(
        "logout-replay",
        Severity.HIGH,
        "logged out, and sent the cookie from before again",
        "end the session on the server: forget the id, or keep a list of those that were ended; "
        "deleting the cookie in the browser does not end a copy",
        EXPIRE + "ASVS 4.0.3-3.3.1; ASVS 5.0.0-7.4.1",
        ("login", "logout"),
        replay,
    ),
    Check(
        "logout-cookie",
        Severity.LOW,
        "logged out, and looked at the browser's cookies",
        "delete the cookie with the logout's answer (Max-Age=0, same Path and Domain)",
        EXPIRE + "ASVS 4.0.3-3.3.1",
        ("login", "logout"),
        logout_cookie,
    ),
    Check(
        "logout-forged",
        Severity.LOW,
        "sent the logout as a page of another site can: by GET, and by POST without a token",
        "log out by POST only, with a CSRF token",
        "OWASP Cross-Site Request Forgery Prevention; ASVS 4.0.3-4.2.2",
        ("login", "logout"),
        logout_forged,
    ),
)
