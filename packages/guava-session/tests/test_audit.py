"""The audit finds each fault of a site that is wrong on purpose, and none that is not there."""

import sys
from pathlib import Path

import pytest
from guava_session.audit import (
    ConfigError,
    Report,
    Result,
    Severity,
    Site,
    Status,
    WSGITransport,
    audit,
)

sys.path.append(str(Path(__file__).parent / "audited"))

from audited_parts import DESCRIPTION
from audited_site import AuditedSite

DESCRIPTION = {**DESCRIPTION, "user_field": "user", "password_field": "pass"}


def run(*faults, only=(), **changes):
    site = Site(**{**DESCRIPTION, **changes})
    return audit(site, WSGITransport(AuditedSite(*faults)), only=only)


def found(report):
    return {result.check.id for result in report.findings()}


def of(report, name):
    (result,) = [result for result in report.results if result.check.id == name]
    return result


def test_nothing_is_found_where_nothing_is_wrong():
    report = run()
    assert found(report) == set(), report.text()
    assert report.status() == 0
    assert {result.status for result in report.results} == {Status.PASSED}, report.text()


FAULTS = {
    "no-rotation": {"login-rotation"},
    "old-id": {"login-old-id"},
    "login-again": {"login-again"},
    "replay": {"logout-replay"},
    "revived": {"logout-race"},
    "logout-cookie": {"logout-cookie"},
    "logout-get": {"logout-forged"},
    "logout-forged": {"logout-forged"},
    "id-short": {"id-entropy"},
    "id-counter": {"id-predictable"},
    "id-time": {"id-predictable"},
    "id-digest": {"id-predictable"},
    "id-uneven": {"id-predictable"},
    "adopt": {"id-adopted"},
    "guess": {"id-guess"},
    "url-id": {"id-in-url"},
    "shows-id": {"id-in-page"},
    "sid-in-address": {"id-in-page"},
    "tamper": {"tamper"},
    "tamper-error": {"tamper-error"},
    "no-httponly": {"cookie-httponly"},
    "no-secure": {"cookie-secure"},
    "no-samesite": {"cookie-samesite"},
    "samesite-none": {"cookie-samesite"},
    "no-prefix": {"cookie-prefix"},
    "domain": {"cookie-scope"},
    "long-lived": {"cookie-lifetime"},
    "unneeded": {"cookie-unneeded"},
    "login-forged": {"csrf-login"},
    "write-forged": {"csrf-write"},
    "write-get": {"csrf-get"},
    "any-token": {"csrf-other-token"},
    "lost-updates": {"lost-updates"},
    "large-error": {"oversized"},
    "large-logout": {"oversized"},
    "large-lost": {"oversized"},
    "error-logout": {"error-survives"},
    "cached-cookie": {"cache-cookie"},
    "shared-page": {"cache-page", "cache-history"},
    "kept-page": {"cache-history"},
    "no-hsts": {"tls-hsts"},
    "plain": {"tls-downgrade"},
    "plain-login": {"tls-downgrade"},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_and_nothing_else(fault):
    report = run(fault)
    assert found(report) == FAULTS[fault], report.text()
    assert report.status() == 1
    assert not [result for result in report.results if result.status is Status.BROKEN]


def test_every_check_has_a_fault_that_it_finds():
    everywhere = set().union(*FAULTS.values())
    known = {result.check.id for result in run().results}
    assert known - everywhere == {"id-readable"}  # see test_audit_ids


# Peculiar sites, with nothing wrong about them.


def test_a_session_that_needs_another_cookie_beside_its_own():
    with pytest.raises(ConfigError, match=r"no single cookie .*--cookie"):
        run("two-cookies")
    report = run("two-cookies", cookie="__Host-sid")
    assert found(report) == set() and report.status() == 0, report.text()
    assert found(run("two-cookies", "adopt", "replay", cookie="__Host-sid")) == {
        "id-adopted",
        "logout-replay",
    }


def test_a_cookie_that_remembers():
    report = run("remember", only=["logout-replay", "tamper"])
    assert report.cookie == "__Host-sid" and report.others == ["remember"]
    assert report.status() == 0 and "--cookie remember" in report.text()
    report = run("remember", only=["logout-replay", "tamper"], cookie="remember")
    assert report.cookie == "remember" and found(report) == {"logout-replay"}


def test_a_site_that_permits_one_login_at_a_time():
    report = run("one-login")
    assert found(report) == set() and report.status() == 0, report.text()


def test_a_site_that_shows_no_form_to_who_is_logged_in():
    report = run("no-second-login", "login-again")
    assert found(report) == set(), report.text()
    assert of(report, "login-again").status is Status.UNTESTED


def test_a_made_up_id_that_is_left_alone():
    """A site that sets its cookie for who has none, and keeps nothing under other ids."""
    only = ["id-adopted"]
    result = of(run("once", only=only), "id-adopted")
    assert result.status is Status.PASSED and "nothing is kept" in result.seen
    result = of(run("once", only=only, write=None, read=None, write_form=None), "id-adopted")
    assert (result.status, result.severity) == (Status.FINDING, Severity.MEDIUM)
    assert of(run("adopt", only=only), "id-adopted").severity is Severity.HIGH


def test_a_site_that_locks_the_audit_out():
    report = run("lock-out")
    assert found(report) == set()
    assert of(report, "tamper").status is Status.BROKEN and report.status() == 2
    assert "locked" in of(report, "tamper").seen


def test_a_made_up_id_where_newcomers_get_none():
    """A site that begins a session when something is written, and not at the login form."""
    names = ["id-adopted", "login-rotation", "login-old-id", "id-entropy"]
    report = run("late", write_form=None, only=names)
    assert report.status() == 0 and of(report, "id-adopted").status is Status.PASSED
    assert "in place of one" in of(report, "login-rotation").seen
    assert "20 ids" in of(report, "id-entropy").seen
    report = run("late", write=None, read=None, write_form=None, only=names)
    assert report.status() == 0 and "4 ids" in of(report, "id-entropy").seen
    assert "no session before" in of(report, "login-rotation").seen
    assert found(run("late", "no-rotation", write_form=None, only=names)) == {"login-rotation"}
    assert found(run("late", "adopt", write_form=None, only=names)) == {"id-adopted"}


def test_what_cannot_be_told_is_not_passed():
    report = run(write_form=None)
    for name in ("csrf-write", "csrf-get", "csrf-other-token", "lost-updates", "oversized"):
        assert of(report, name).status is Status.UNTESTED
        assert "--write-form" in of(report, name).seen
    report = run(logout_form=None)  # the page of the user has no such form
    assert of(report, "logout-replay").status is Status.UNTESTED
    assert of(report, "logout-cookie").status is Status.UNTESTED
    report = run(error="/me")
    assert "answered 200" in of(report, "error-survives").seen


def test_changes_by_get_are_a_finding_as_described():
    changes = {"write": "/add?key={key}&value={value}", "write_body": None}
    report = run("write-get", write_method="GET", **changes)
    assert {"csrf-get"} <= found(report) <= {"csrf-get", "oversized"}
    assert of(report, "csrf-write").status is Status.UNTESTED
    assert of(report, "lost-updates").status is Status.PASSED


def test_cookies_that_other_sites_send_make_forgery_worse():
    assert of(run("write-forged"), "csrf-write").severity is Severity.LOW
    report = run("write-forged", "samesite-none")
    assert of(report, "csrf-write").severity is Severity.HIGH
    assert of(report, "cookie-samesite").severity is Severity.MEDIUM


def test_findings_of_a_severity():
    report = run("replay", "no-hsts")
    assert {r.check.id for r in report.findings(Severity.HIGH)} == {"logout-replay"}
    assert found(report) == {"logout-replay", "tls-hsts"}
    assert report.text().index("logout-replay") < report.text().index("tls-hsts")


def test_what_a_site_says_cannot_command_the_terminal():
    report = run(only=["logout-replay"])
    bad = Result(report.results[0].check, Status.FINDING, Severity.LOW, "a \x1b[2J b \x07")
    text = Report("https://a/", "sid", 1, [bad]).text()
    assert "\x1b" not in text and "\x07" not in text and "a ?[2J b ?" in text
