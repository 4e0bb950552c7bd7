"""Checks of what becomes of a session: parallel updates, large values, server errors."""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from .client import Answer
from .errors import AuditError, Unreachable
from .report import Check, Outcome, Severity
from .visitor import Visitor

if TYPE_CHECKING:
    from .run import Audit

WRITERS, ROUNDS = 8, 3
SIZES = (5_000, 70_000, 1_000_000)


def lost_updates(audit: Audit) -> Outcome:
    user = audit.writer()
    user.write("audit0", audit.marker(), user.write_form().hidden)  # so that there is a session
    for _ in range(ROUNDS):
        sent = [(f"audit{n}", audit.marker()) for n in range(WRITERS)]
        answers = _write_all(user, sent)
        page = user.read()
        lost = [marker for _, marker in sent if marker not in page]
        failed = sum(status >= 500 for status in answers)
        if failed:
            return Outcome.found(f"{failed} of {WRITERS} writes at the same time answered 5xx")
        if max(answers) >= 400 or len(lost) == WRITERS:
            return Outcome.untested(
                f"the writes answered {max(answers)}, and {len(lost)} of {WRITERS} were kept "
                "not (--write, --write-form, --read)"
            )
        if lost:
            return Outcome.found(
                f"of {WRITERS} keys that were written at the same time {len(lost)} were lost"
            )
    return Outcome.passed(
        f"{ROUNDS} times {WRITERS} parallel writes, none lost; a rarer race may remain"
    )


def _write_all(user: Visitor, sent: list[tuple[str, str]]) -> list[int]:
    """Write at the same time, as the tabs of one browser do; the status of each answer."""
    hidden = user.write_form().hidden
    return _at_once(user, [_writing(user.copy(), key, value, hidden) for key, value in sent])


def _writing(tab: Visitor, key: str, value: str, hidden: dict[str, str]) -> Callable[[], Answer]:
    return partial(tab.write, key, value, hidden, wait=False, follow=False)


def _at_once(user: Visitor, calls: list[Callable[[], Answer]]) -> list[int]:
    """Call all at the same time; the status of each answer, whose cookies user keeps."""
    start = threading.Barrier(len(calls))
    finish = threading.Lock()
    statuses: list[int] = []
    problems: list[AuditError] = []

    def run(call: Callable[[], Answer]) -> None:
        start.wait()
        try:
            answer = call()
        except AuditError as error:
            problems.append(error)
            return
        with finish:
            # Of cookies that come at the same time the last one stays.
            statuses.append(answer.status)
            user.jar.take(answer)
            user.answers.append(answer)

    threads = [threading.Thread(target=run, args=(call,), daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    return statuses


def race(audit: Audit) -> Outcome:
    """Whether a write that began before a logout brings the session back that it ended."""
    for _ in range(ROUNDS):
        user = audit.log_in()
        old, marker = audit.sid(user), audit.marker()
        user.write("late", marker, user.write_form().hidden)
        if marker not in user.read():
            return Outcome.untested("a write was not kept (--write, --write-form, --read)")
        old = audit.sid(user)  # a session in the cookie has another one now
        hidden, form = user.write_form().hidden, user.logout_form()
        tabs = [user.copy() for _ in range(WRITERS)]
        calls = [_writing(tab, f"late{n}", marker, hidden) for n, tab in enumerate(tabs[1:])]
        _at_once(user, [*calls, partial(tabs[0].send_logout, form, wait=False)])
        if audit.visitor().is_known(audit.with_id(old)):
            if audit.memo.get("ends") is False:
                return Outcome.untested("the logout does not end sessions; see logout-replay")
            return Outcome.found(
                f"after a logout among {WRITERS - 1} writes the cookie from before is logged in"
            )
    return Outcome.passed(
        f"{ROUNDS} logouts, each among {WRITERS - 1} writes: all stayed logged out; a rarer race "
        "may remain"
    )


def oversized(audit: Audit) -> Outcome:
    kept = 0
    for size in (size for size in SIZES if size <= audit.largest):
        # Each size in a session of its own: the one before may have filled it.
        user = audit.writer()
        first, marker = audit.marker(), audit.marker()
        user.write("audit", first, user.write_form().hidden)
        if first not in user.read():
            return Outcome.untested("a small write was not kept (--write, --write-form, --read)")
        try:
            status = user.write("large", marker + _noise(size), user.write_form().hidden).status
        except Unreachable:
            status = 413  # broken off while it was sent: refused, if the session lives
        page = user.read()
        if audit.site.login and not user.is_known():
            return Outcome.found(f"{size} bytes: answered {status}, and the user was logged out")
        if first not in page:
            return Outcome.found(
                f"{size} bytes: answered {status}, and what was in the session before is gone"
            )
        if status >= 500:
            seen = f"{size} bytes: answered {status}; what was in the session before stayed"
            return Outcome.found(seen, Severity.LOW)
        if status >= 400:
            return Outcome.passed(f"{size} bytes were refused ({status}), and the session stayed")
        if marker not in page:
            return Outcome.found(
                f"{size} bytes: answered {status} as if all were well, but nothing was kept"
                + (", because browsers drop so long a cookie" if user.jar.dropped else "")
            )
        kept = size
    return Outcome.passed(f"{kept} bytes were kept")


def _noise(size: int) -> str:
    """Characters that cannot be compressed: some sites compress, and then little is left."""
    return base64.urlsafe_b64encode(os.urandom(size * 3 // 4)).decode()


def survives(audit: Audit) -> Outcome:
    user = audit.log_in()
    answer = user.ask(audit.site.error or "", follow=False)
    if answer.status < 500:
        return Outcome.untested(f"{audit.site.error} answered {answer.status}, not 500")
    if not user.is_known():
        return Outcome.found("after a server error the user is logged out")
    return Outcome.passed("after a server error the user is still logged in")


CHECKS = (
    Check(
        "lost-updates",
        Severity.MEDIUM,
        f"wrote {WRITERS} keys of one session at the same time, {ROUNDS} times",
        "merge what a request changed into what the store holds by then, or lock the session",
        "ASVS 4.0.3-11.1.6",
        ("write", "read"),
        lost_updates,
    ),
    Check(
        "logout-race",
        Severity.MEDIUM,
        f"logged out while {WRITERS - 1} writes of the same session were on their way",
        "save a session only if it is still there",
        "ASVS 4.0.3-3.3.1, 11.1.6",
        ("login", "logout", "write"),
        race,
    ),
    Check(
        "oversized",
        Severity.MEDIUM,
        f"wrote values of {', '.join(f'{size}' for size in SIZES)} bytes into a session",
        "refuse what is too large with a 4xx, and keep what was there",
        "RFC 6265bis, section 5.6 (4096 bytes of a cookie); ASVS 4.0.3-5.1.3",
        ("write", "read"),
        oversized,
    ),
    Check(
        "error-survives",
        Severity.LOW,
        "asked for a page that fails, and looked whether the login was still there",
        "keep the session as it was when a request fails",
        "ASVS 4.0.3-7.4.1",
        ("login", "error"),
        survives,
    ),
)
