"""An attack suite against the sessions of any site: ``python -m guava_session.audit URL``.

Fixation, replay after logout, tampering, guessing, cookie attributes, forged requests, lost
updates and more. It needs the standard library only, and nothing of the site but to be asked.
Test only what you may test.

In an application's own tests, without a server:

    from guava_session.audit import Site, WSGITransport, audit

    report = audit(Site("https://site.test/", login="/login", ...), WSGITransport(application))
    assert not report.findings(), report.text()

`ASGITransport` does the same for ASGI.
"""

from .asgi import ASGITransport
from .client import Answer, HTTPTransport, Request, Transport, WSGITransport
from .errors import AuditError, ConfigError
from .report import Check, Report, Result, Severity, Status
from .run import audit
from .site import Site

__all__ = [
    "ASGITransport",
    "Answer",
    "AuditError",
    "Check",
    "ConfigError",
    "HTTPTransport",
    "Report",
    "Request",
    "Result",
    "Severity",
    "Site",
    "Status",
    "Transport",
    "WSGITransport",
    "audit",
]
