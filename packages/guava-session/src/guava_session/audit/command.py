"""The command line: options to a `Site`, a report to lines or JSON, an exit status."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from typing import Any

from .catalogue import CHECKS, NOT_TESTED
from .client import HTTPTransport, origin_of
from .errors import AuditError, ConfigError
from .report import Severity
from .run import audit
from .site import Site, read_toml

PASSWORD = "GUAVA_AUDIT_PASSWORD"

#: Options that are keys of a site, and what they say.
_SITE = {
    "login": "the page with the login form, or what it is sent to",
    "username": "who logs in",
    "password": f"or ${PASSWORD}; it is asked for if it is missing",
    "user-field": "the form's field for the name (username)",
    "password-field": "the form's field for the password (password)",
    "whoami": "a page that shows who is logged in",
    "proof": "a text that is on that page only then: the user's name, say",
    "logout": "what logs out",
    "logout-method": "GET or POST (POST)",
    "logout-form": "the page with the form that logs out, for its hidden fields",
    "write": "what keeps a value in the session: '/add?key={key}&value={value}'",
    "write-method": "GET or POST (POST)",
    "write-body": "the fields of its form: 'key={key}&value={value}'",
    "write-form": "the page with that form, for its hidden fields",
    "read": "a page that shows what was written",
    "csrf-field": "the hidden field with the CSRF token, if neither name nor value tells",
    "csrf-cookie": "the cookie whose value scripts send back",
    "csrf-header": "the header field in which they do",
    "cookie": "the session cookie's name, if it shall not be found out",
    "error": "a page that answers 500",
    "plain-http": "where the site answers without TLS: http://...",
}

_PATHS = {"login", "whoami", "logout", "logout-form", "write", "write-form", "read", "error"}

_NOTICE = (
    "guava_session.audit attacks the sessions of {host}, as {user}: only with the consent of "
    "those whose site it is. At most {limit} requests."
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m guava_session.audit",
        description="Tests the sessions of a site that you may test.",
        epilog="Exit status: 0 nothing found, 1 findings, 2 the audit could not be run.",
    )
    parser.add_argument("url", nargs="?", help="the site's start page: https://...")
    parser.add_argument("--config", metavar="FILE", help="TOML with the keys below (write_body)")
    parser.add_argument(
        "--permitted", action="store_true", help="you may test it; not asked on this machine"
    )
    site = parser.add_argument_group("the site; what is left out is not tested")
    for name, text in _SITE.items():
        site.add_argument(f"--{name}", help=text, metavar="PATH" if name in _PATHS else "TEXT")
    site.add_argument("--login-json", action="store_true", help="send the login as JSON")
    site.add_argument(
        "--login-field",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another field of the login form",
    )
    how = parser.add_argument_group("how")
    how.add_argument("--only", action="append", default=[], metavar="ID", help="this check")
    how.add_argument("--skip", action="append", default=[], metavar="ID", help="not this one")
    how.add_argument("--allow", action="append", default=[], metavar="URL", help="ask it, too")
    how.add_argument(
        "--delay", type=float, metavar="SECONDS", help="seconds between requests (0.1; here 0)"
    )
    how.add_argument(
        "--timeout", type=float, default=10.0, metavar="SECONDS", help="seconds for an answer (10)"
    )
    how.add_argument("--max-requests", type=int, default=1000, metavar="N", help="(1000)")
    how.add_argument("--largest", type=int, default=1_000_000, metavar="BYTES", help="(1000000)")
    how.add_argument("--ca", metavar="FILE", help="certificates to trust (PEM)")
    how.add_argument("--insecure", action="store_true", help="any certificate will do")
    out = parser.add_argument_group("what comes out")
    out.add_argument("--json", action="store_true", help="a JSON object in place of lines")
    out.add_argument("--quiet", action="store_true", help="no notice, no progress")
    out.add_argument(
        "--fail-on",
        choices=[str(severity) for severity in Severity],
        default="low",
        help="the least severity for exit status 1 (low)",
    )
    out.add_argument("--list", action="store_true", help="say what the checks are, and end")
    return parser


def _site(options: argparse.Namespace) -> Site:
    values: dict[str, Any] = read_toml(options.config) if options.config else {}
    if options.url:
        values["url"] = options.url
    if "url" not in values:
        raise ConfigError("name the site: its URL, or --config FILE with a url")
    for name in _SITE:
        value = getattr(options, name.replace("-", "_"))
        if value is not None:
            values[name.replace("-", "_")] = value
    if options.login_json:
        values["login_json"] = True
    for pair in options.login_field:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"--login-field is NAME=VALUE, not {pair!r}")
        values["login_fields"] = {**values.get("login_fields", {}), name: value}
    if values.get("login") and "password" not in values:
        if PASSWORD in os.environ:
            values["password"] = os.environ[PASSWORD]
        elif sys.stdin.isatty():
            values["password"] = getpass.getpass(f"Password of {values.get('username')}: ")
    return Site.from_mapping(values)


def _list() -> None:
    for check in CHECKS:
        print(f"{check.id:<17} {check.severity!s:<7} {check.did}; {check.source}")
    for name, why in NOT_TESTED.items():
        print(f"{name:<17} never   {why}")


def main(arguments: list[str]) -> int:
    """Run the command; the exit status."""
    options = _parser().parse_args(arguments)
    if options.list:
        _list()
        return 0
    try:
        site = _site(options)
        host = origin_of(site.url)[1]
        if not (site.is_local or options.permitted):
            raise ConfigError(
                f"say with --permitted that you may test {host}; it is others' without that"
            )
        if not options.quiet:
            user = site.username or "nobody"
            notice = _NOTICE.format(host=host, user=user, limit=options.max_requests)
            print(notice, file=sys.stderr)
        delay = options.delay if options.delay is not None else 0.0 if site.is_local else 0.1
        report = audit(
            site,
            HTTPTransport(options.timeout, options.ca, options.insecure),
            allowed=options.allow,
            delay=delay,
            max_requests=options.max_requests,
            largest=options.largest,
            only=options.only,
            skip=options.skip,
            progress=_progress if sys.stderr.isatty() and not options.quiet else _nothing,
        )
    except AuditError as error:
        print(f"guava_session.audit: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps({**report.as_dict(), "never tested": NOT_TESTED}, indent=2))
    else:
        print(report.text())
        print(
            "never tested:", *(f"{name} ({why})" for name, why in NOT_TESTED.items()), sep="\n  "
        )
    return report.status(Severity[options.fail_on.upper()])


def _progress(name: str) -> None:
    print(f"... {name}", file=sys.stderr)


def _nothing(name: str) -> None:
    pass
