"""The audit finds each fault of a site that is wrong on purpose, and none that is not there."""

import sys
from pathlib import Path

import pytest
from guava_session.audit import Site, Status, WSGITransport, audit

sys.path.append(str(Path(__file__).parent / "audited"))

from audited_site import URL, AuditedSite

DESCRIPTION = {
    "url": URL,
    "login": "/login",
    "username": "anna",
    "password": "secret",
    "user_field": "user",
    "password_field": "pass",
    "whoami": "/me",
    "proof": "Signed in as anna",
    "logout": "/logout",
    "logout_form": "/logout",
    "write": "/add",
    "write_body": "key={key}&value={value}",
    "write_form": "/add",
    "read": "/items",
    "error": "/error",
    "plain_http": "http://site.test/",
}


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
