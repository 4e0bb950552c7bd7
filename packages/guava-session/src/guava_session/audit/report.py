"""What a check found, and the whole report as lines for people or as JSON."""

from __future__ import annotations

import enum
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from .run import Audit

__all__ = ["Check", "Function", "Outcome", "Report", "Result", "Severity", "Status"]


class Severity(enum.IntEnum):
    """How bad a finding is."""

    LOW = 1  #: a layer of defence is missing
    MEDIUM = 2  #: it helps an attacker who has something else, too, or loses data
    HIGH = 3  #: it gives away or lets forge a login

    def __str__(self) -> str:
        return self.name.lower()


class Status(enum.Enum):
    """What became of a check."""

    PASSED = "passed"
    FINDING = "finding"
    UNTESTED = "not tested"  #: the site was not described so far, or has nothing to test
    BROKEN = "broken off"  #: no answer, or the limit of requests was reached


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the function of a check returns."""

    status: Status
    seen: str
    severity: Severity | None = None  #: if it differs from the check's

    @classmethod
    def passed(cls, seen: str) -> Outcome:
        """Nothing was found; seen says what was looked at."""
        return cls(Status.PASSED, seen)

    @classmethod
    def found(cls, seen: str, severity: Severity | None = None) -> Outcome:
        """A fault was found."""
        return cls(Status.FINDING, seen, severity)

    @classmethod
    def untested(cls, why: str) -> Outcome:
        """It could not be told."""
        return cls(Status.UNTESTED, why)


#: The work of a check.
Function: TypeAlias = "Callable[[Audit], Outcome]"


@dataclass(frozen=True, slots=True)
class Check:
    """One check."""

    id: str
    severity: Severity
    did: str  #: what is done
    advice: str  #: what to do about a finding
    source: str  #: who says so
    needs: tuple[str, ...]  #: keys of the site's description
    function: Function
    passive: bool = False  #: whether it looks at the answers of the others


@dataclass(frozen=True, slots=True)
class Result:
    """What one check gave."""

    check: Check
    status: Status
    severity: Severity
    seen: str

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return {
            "id": self.check.id,
            "status": self.status.value,
            "severity": str(self.severity),
            "did": self.check.did,
            "seen": self.seen,
            "advice": self.check.advice,
            "source": self.check.source,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The results of an audit."""

    url: str
    cookie: str | None  #: the name of the session cookie
    requests: int  #: how many were sent
    results: list[Result]
    others: list[str] = field(default_factory=list)  #: cookies that log in, too, by themselves

    def findings(self, at_least: Severity = Severity.LOW) -> list[Result]:
        """The faults that were found."""
        return [
            result
            for result in self.results
            if result.status is Status.FINDING and result.severity >= at_least
        ]

    def status(self, at_least: Severity = Severity.LOW) -> int:
        """For `sys.exit`: 1 with findings, 2 when a check broke off, else 0."""
        if self.findings(at_least):
            return 1
        return 2 if any(result.status is Status.BROKEN for result in self.results) else 0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "url": self.url,
            "cookie": self.cookie,
            "other cookies": self.others,
            "requests": self.requests,
            "results": [result.as_dict() for result in self.results],
        }

    def text(self) -> str:
        """For people: the findings in full, a line for each other check.

        What came from the site is printable in it, so that it cannot command a terminal."""
        lines = []
        for result in sorted(self.findings(), key=lambda result: -result.severity):
            check = result.check
            lines.append(f"{str(result.severity).upper()}  {check.id}")
            for word, said in (
                ("did", check.did),
                ("seen", result.seen),
                ("do", check.advice),
                ("see", check.source),
            ):
                indent = " " * 8
                lines += textwrap.wrap(
                    said, 96, initial_indent=f"  {word:<6}", subsequent_indent=indent
                )
            lines.append("")
        for status in (Status.PASSED, Status.UNTESTED, Status.BROKEN):
            for result in self.results:
                if result.status is status:
                    start = f"{status.value:<10}  {result.check.id:<20}  "
                    lines += textwrap.wrap(
                        result.seen, 99, initial_indent=start, subsequent_indent=" " * 34
                    )
        counts = ", ".join(
            f"{sum(result.status is status for result in self.results)} {word}"
            for status, word in (
                (Status.FINDING, "findings"),
                (Status.PASSED, "passed"),
                (Status.UNTESTED, "not tested"),
                (Status.BROKEN, "broken off"),
            )
        )
        cookie = f"session cookie {self.cookie}" if self.cookie else "no session cookie"
        lines += ["", f"{self.url}: {counts}; {cookie}; {self.requests} requests"]
        for name in self.others:
            lines.append(f"The cookie {name} logs in, too; test it with --cookie {name}")
        return "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in lines)
