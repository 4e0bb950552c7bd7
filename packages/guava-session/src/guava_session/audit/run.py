"""Audit: the state that the checks of one run share, and the run itself."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from .catalogue import CHECKS
from .client import Answer, Client, Transport
from .errors import AuditError, ConfigError, OutOfRequests, Refused, Unreachable
from .jar import SetCookie, set_cookies
from .report import Check, Outcome, Report, Result, Status
from .site import Site
from .visitor import Visitor

#: How many ids of newcomers are looked at, and of logins, which cost a site more.
IDS, LOGINS = 20, 4


@dataclass(frozen=True, slots=True)
class Sample:
    """An id that the site gave to a visitor."""

    value: str
    time: float  #: seconds since 1970


class Audit:
    """One run against one site.

    :param site: what is known of it
    :param client: what sends the requests
    :param largest: bytes of the largest value that is written into a session
    """

    def __init__(self, site: Site, client: Client, largest: int = 1_000_000) -> None:
        self.site = site
        self.client = client
        self.largest = largest
        #: The session cookie's name.
        self.cookie = site.cookie or ""
        #: Others that log in, too.
        self.others: list[str] = []
        #: Others that the site wants to see beside it, "name=value".
        self.companions: list[str] = []
        #: Why there is none.
        self.no_cookie = ""
        self.random = random.Random()  # for values that must differ, nothing else
        self._visitors: list[Visitor] = []
        self._user: Visitor | None = None
        #: What checks keep for each other.
        self.memo: dict[str, object] = {}
        self._samples: list[Sample] | None = None
        self._newcomer_page: str | None = None

    # Visitors.

    def visitor(self) -> Visitor:
        """A browser that has never been here."""
        visitor = Visitor(self.site, self.client)
        self._visitors.append(visitor)
        return visitor

    def log_in(self) -> Visitor:
        """A browser that has just logged in.

        :raises AuditError: the site lets nobody in
        """
        visitor = self.visitor()
        visitor.log_in()
        return visitor

    def bringing(self, value: str) -> Visitor:
        """A browser that has this session cookie already, from wherever."""
        visitor = self.visitor()
        for pair in self.companions:
            name, _, content = pair.partition("=")
            visitor.jar.plant(name, content, self.site.url)
        visitor.jar.plant(self.cookie, value, self.site.url)
        return visitor

    def newcomer(self) -> Visitor:
        """A browser that is not logged in, and has a session if the site gives it one."""
        visitor, page = self.visitor(), self.newcomer_page()
        if page:
            visitor.ask(page)
        elif self.site.write and self.memo.get("newcomers write") is not False:
            visitor.write("audit", self.marker(), visitor.write_form().hidden)
            self.memo["newcomers write"] = bool(self.sid(visitor))
        return visitor

    def user(self) -> Visitor:
        """A browser that is logged in; shared by checks that do it no harm."""
        if self._user is None or not self._user.is_known():
            self._user = self.log_in()
        return self._user

    def writer(self) -> Visitor:
        """A browser with a session to write to: logged in, if the site has a login."""
        visitor = self.log_in() if self.site.login else self.visitor()
        if not self.site.login:
            visitor.ask(self.site.url)
        return visitor

    def sid(self, visitor: Visitor) -> str:
        """The value of a visitor's session cookie; "" without one."""
        return visitor.jar.get(self.cookie) or ""

    def with_id(self, value: str) -> str:
        """A Cookie field with this value in the session cookie."""
        return self.together(f"{self.cookie}={value}")

    def together(self, cookie: str) -> str:
        """A Cookie field with what the site wants to see beside the session cookie."""
        return "; ".join([cookie, *self.companions])

    def marker(self) -> str:
        """A value that nothing else has."""
        return f"audit{self.random.getrandbits(48):012x}"

    # What was seen on the way.

    def answers(self) -> list[Answer]:
        """All answers so far."""
        return [answer for visitor in self._visitors for answer in visitor.answers]

    def cookies(self) -> list[SetCookie]:
        """All session cookies that were set so far, deletions left out."""
        found = [cookie for answer in self.answers() for cookie in set_cookies(answer)]
        return [cookie for cookie in found if cookie.name == self.cookie and not cookie.deletes]

    # Finding out.

    def find_cookie(self) -> None:
        """Find out which cookie is the session's.

        :raises AuditError: it is none of those that the site sets
        """
        if self.site.login:
            if self.visitor().is_known():
                raise ConfigError(
                    f"{self.site.whoami} shows {self.site.proof!r} to visitors who are not "
                    "logged in, so it proves nothing; name another text (--proof)"
                )
            self._find_login_cookie(self.user())
            return
        if self.cookie:
            return
        for address in self.pages():
            visitor = self.visitor()
            visitor.ask(address)
            cookies = [cookie for answer in visitor.answers for cookie in set_cookies(answer)]
            found = [cookie for cookie in cookies if not cookie.deletes]
            # Of several, the one that scripts need not read.
            found.sort(key=lambda cookie: "httponly" not in cookie.attributes)
            if found:
                self.cookie = found[0].name
                return
        self.no_cookie = "the site sets no cookie before a login; describe one (--login)"

    def _find_login_cookie(self, user: Visitor) -> None:
        pairs = {name: f"{name}={user.jar.get(name)}" for name in user.jar.names()}
        if self.cookie and self.cookie not in pairs:
            raise ConfigError(f"the login sets no cookie called {self.cookie} (--cookie)")
        enough = [name for name in pairs if user.is_known(pairs[name])]
        if enough and self.cookie in ("", *enough):
            # What a browser forgets when it is closed is more of a session than "remember me".
            enough.sort(key=lambda name: any(c.lifetime for c in user.cookies_set(name)))
            self.cookie = self.cookie or enough[0]
            self.others = [name for name in enough if name != self.cookie]
            return
        # Several are needed together; one of them is the session's.
        needed = []
        for name in pairs:
            if not user.is_known("; ".join(p for other, p in pairs.items() if other != name)):
                needed.append(name)
        if self.cookie not in needed:
            names = ", ".join(needed or pairs) or "none is set"
            raise ConfigError(
                f"no single cookie keeps the login ({names}); name the session's (--cookie)"
            )
        self.companions = [pairs[name] for name in needed if name != self.cookie]
        if not user.is_known(self.with_id(self.sid(user))):
            raise ConfigError(f"the cookies {', '.join(needed)} alone do not keep the login")

    def pages(self) -> Iterable[str]:
        """The pages that a newcomer may see."""
        site = self.site
        found = (site.url, site.login, site.write_form, site.read, site.whoami)
        return dict.fromkeys(site.at(address) for address in found if address)

    def newcomer_page(self) -> str:
        """A page that gives the session cookie to somebody who has none; "" without one."""
        if self._newcomer_page is None:
            self._newcomer_page = ""
            for address in self.pages():
                visitor = self.visitor()
                visitor.ask(address)
                if self.sid(visitor):
                    self._newcomer_page = address
                    break
        return self._newcomer_page

    def samples(self) -> list[Sample]:
        """Ids that the site gave to different visitors."""
        if self._samples is None:
            found: list[Sample] = []
            without = bool(self.sid(self.newcomer()))
            for _ in range(IDS if without else LOGINS if self.site.login else 0):
                visitor = self.newcomer() if without else self.log_in()
                if self.sid(visitor):
                    found.append(Sample(self.sid(visitor), time.time()))
            self._samples = found
        return self._samples

    def made_up(self, like: str) -> str:
        """A value of the same shape as one of the site's, which the site has not made."""
        kinds = ("0123456789", "abcdef", "abcdefghijklmnopqrstuvwxyz", "ABCDEF")
        text = ""
        for character in like:
            if character in kinds[0]:
                text += self.random.choice(kinds[0])
            elif character.islower() and character.isascii():
                text += self.random.choice(kinds[1 if character in kinds[1] else 2])
            elif character.isupper() and character.isascii():
                text += self.random.choice(kinds[3])
            else:
                text += character
        return text if text != like else self.made_up(like)

    # The run.

    def run(
        self,
        only: Collection[str] = (),
        skip: Collection[str] = (),
        progress: Callable[[str], None] = lambda text: None,
    ) -> Report:
        """Run the checks.

        :param only: ids of checks; without one all are run
        :param skip: ids of checks to leave out
        :param progress: is told what is being done
        :raises AuditError: the site cannot be tested at all
        """
        known = {check.id for check in CHECKS}
        for name in (*only, *skip):
            if name not in known:
                raise ConfigError(f"there is no check {name!r}; these are: {', '.join(known)}")
        self.find_cookie()
        chosen = [c for c in CHECKS if c.id not in skip and (not only or c.id in only)]
        results: dict[str, Result] = {}
        # What only looks at answers comes last, when there are many.
        for check in sorted(chosen, key=lambda check: check.passive):
            progress(check.id)
            results[check.id] = self._run_one(check)
        in_order = [results[check.id] for check in chosen]
        return Report(self.site.url, self.cookie or None, self.client.sent, in_order, self.others)

    def _run_one(self, check: Check) -> Result:
        missing = [need for need in check.needs if not self._has(need)]
        try:
            if missing:
                outcome = Outcome.untested(f"needs {_options(missing)}")
            elif not self.cookie:
                outcome = Outcome.untested(self.no_cookie)
            else:
                outcome = check.function(self)
                if outcome.status is Status.PASSED and "login" in check.needs:
                    # Nobody is logged in, either, where the audit has been locked out.
                    self.user()
        except (OutOfRequests, Refused, Unreachable) as error:
            outcome = Outcome(Status.BROKEN, str(error))
        except AuditError as error:
            outcome = Outcome.untested(str(error))
        return Result(check, outcome.status, outcome.severity or check.severity, outcome.seen)

    def _has(self, need: str) -> bool:
        if need == "https":
            return self.site.is_https
        return bool(getattr(self.site, need))


def _options(needs: list[str]) -> str:
    words = ["a URL of https" if n == "https" else "--" + n.replace("_", "-") for n in needs]
    return " and ".join(words)


def audit(
    site: Site,
    transport: Transport,
    *,
    allowed: Iterable[str] = (),
    delay: float = 0.0,
    max_requests: int = 1000,
    largest: int = 1_000_000,
    only: Collection[str] = (),
    skip: Collection[str] = (),
    progress: Callable[[str], None] = lambda text: None,
) -> Report:
    """Test the sessions of a site, and only of one that you may test.

    :param site: what is known of it
    :param transport: `HTTPTransport`; or `WSGITransport` or `ASGITransport`, in an application's
        own tests
    :param allowed: other addresses that it may lead to
    :param delay: seconds between two requests
    :param max_requests: after so many it is over
    :param largest: bytes of the largest value that is written into a session
    :param only: ids of checks; without one all are run
    :param skip: ids of checks to leave out
    :param progress: is told the id of each check when it begins
    :raises AuditError: the site cannot be tested at all: it does not answer, the password is wrong
    """
    extra = [*allowed, *([site.plain_http] if site.plain_http else [])]
    client = Client(transport, site.url, extra, delay, max_requests)
    return Audit(site, client, largest).run(only, skip, progress)
