"""A visitor of the site: a browser with cookies that logs in, looks, writes and logs out."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit

from .client import Answer, Client, Request
from .errors import Refused, Unreachable
from .form import Form, find_form, find_forms, looks_like_token
from .jar import Jar, SetCookie
from .site import Site

MAX_REDIRECTS = 5

#: What a browser sends along when a page of another site sends a form (Fetch, section 3.2).
FOREIGN = {
    "Origin": "https://attacker.example",
    "Referer": "https://attacker.example/",
    "Sec-Fetch-Site": "cross-site",
}
#: The same from a sandboxed frame.
SANDBOXED = {"Origin": "null", "Sec-Fetch-Site": "cross-site"}


class Visitor:
    """One browser. Redirects are followed on the site's own addresses only.

    :param site: where to
    :param client: what sends the requests
    """

    def __init__(self, site: Site, client: Client, jar: Jar | None = None) -> None:
        self.site = site
        self.client = client
        self.jar = jar or Jar()
        #: All answers, also those on the way, for checks that only look.
        self.answers: list[Answer] = []

    def copy(self) -> Visitor:
        """Another browser with the same cookies."""
        return Visitor(self.site, self.client, self.jar.copy())

    def ask(
        self,
        address: str,
        method: str = "GET",
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        *,
        follow: bool = True,
        cookie: str | None = None,
        wait: bool = True,
    ) -> Answer:
        """Send a request with the cookies, and keep those of the answer.

        :param follow: whether to follow redirects
        :param cookie: the Cookie field to send in place of the jar's
        :raises AuditError: there is no answer
        """
        url = self.site.at(address)
        headers = dict(headers or {})
        for _ in range(MAX_REDIRECTS + 1):
            fields = dict(headers)
            text = self.jar.header(url) if cookie is None else cookie
            if text:
                fields["Cookie"] = text
            request = Request(method, url, tuple(fields.items()), body)
            answer = self.client.send(request, wait=wait)
            self.answers.append(answer)
            self.jar.take(answer)
            location = answer.get("Location")
            if not follow or answer.status not in (301, 302, 303, 307, 308) or not location:
                return answer
            url = urljoin(url, location)
            if answer.status in (301, 302, 303) and method not in ("GET", "HEAD"):
                method, body = "GET", b""
                headers.pop("Content-Type", None)
        raise Unreachable(f"{address} redirects more than {MAX_REDIRECTS} times")

    # Forms.

    def _submit(
        self,
        address: str,
        method: str,
        fields: dict[str, str],
        headers: dict[str, str] | None,
        *,
        as_json: bool = False,
        follow: bool = True,
        wait: bool = True,
    ) -> Answer:
        # A browser's form says where it comes from; some sites ask for it (Django, over TLS).
        scheme, host = urlsplit(self.site.url)[:2]
        own = {"Origin": f"{scheme}://{host}", "Referer": self.site.url}
        own["Sec-Fetch-Site"] = "same-origin"
        sent = own if headers is None else dict(headers)
        if headers is None and self.site.csrf_header and self.site.csrf_cookie:
            if self.jar.get(self.site.csrf_cookie) is None:
                self.ask(self.site.url)  # which sets it
            sent[self.site.csrf_header] = self.jar.get(self.site.csrf_cookie) or ""
        if method in ("GET", "HEAD"):
            url = self.site.at(address)
            if fields:
                url += ("&" if "?" in url else "?") + urlencode(fields)
            return self.ask(url, method, headers=sent, follow=follow, wait=wait)
        if as_json:
            sent["Content-Type"] = "application/json"
            body = json.dumps(fields).encode()
        else:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(fields).encode()
        return self.ask(address, method, body, sent, follow=follow, wait=wait)

    def hidden(self, page: str | None, names: tuple[str, ...] = (), action: str = "") -> Form:
        """The form of a page, found by its fields or where it goes; an empty one without it."""
        if page is None:
            return Form()
        answer = self.ask(page)
        form = find_form(answer.text, names) if names else None
        if form is None and action:
            path = urlsplit(self.site.at(action)).path
            for each in find_forms(answer.text):
                if urlsplit(urljoin(answer.url, each.action)).path == path:
                    form = each
        if form is None and not names:
            forms = [each for each in find_forms(answer.text) if each.method == "POST"]
            form = forms[0] if forms else None
        if form is None:
            return Form()
        form.action = urljoin(answer.url, form.action)
        return form

    def without_token(self, hidden: dict[str, str]) -> dict[str, str]:
        """The hidden fields that are no CSRF token, as far as that is known."""
        token = self.site.csrf_field
        if token in hidden:
            return {name: value for name, value in hidden.items() if name != token}
        return {name: v for name, v in hidden.items() if not looks_like_token(name, v)}

    # Logging in and out.

    def log_in(self) -> Answer:
        """Log in as the user of the site's description.

        :raises Refused: the site does not show the user afterwards
        """
        site = self.site
        assert site.login is not None
        form = Form() if site.login_json else self.hidden(site.login, (site.password_field,))
        token = site.csrf_field
        if token and not site.login_json and token not in form.hidden:
            raise Refused(f"the form of {site.login} has no hidden field {token!r} (--csrf-field)")
        answer = self._submit(
            form.action or site.login,
            "POST",
            {**form.hidden, **self.credentials()},
            None,
            as_json=site.login_json,
        )
        if not self.is_known():
            wrong = [cookie.name for cookie in self.jar.dropped]
            raise Refused(
                f"the login at {site.login} answered {answer.status}, but then {site.whoami} does "
                f"not show {site.proof!r}. Is the password wrong, or the name of a field "
                f"({site.user_field}, {site.password_field})?"
                + (f" Browsers drop the cookie {wrong[0]}: it is too long." if wrong else "")
            )
        return answer

    def credentials(self) -> dict[str, str]:
        """The fields of the login form that the user fills in."""
        site = self.site
        return {
            **site.login_fields,
            site.user_field: site.username or "",
            site.password_field: site.password or "",
        }

    def forge_login(self, headers: dict[str, str]) -> Answer:
        """What the browser sends when another site's page logs it in."""
        site = self.site
        assert site.login is not None
        probe = Visitor(site, self.client)  # where the form goes is no secret
        form = Form() if site.login_json else probe.hidden(site.login, (site.password_field,))
        fields = {**self.without_token(form.hidden), **self.credentials()}
        where = form.action or site.login
        return self._submit(where, "POST", fields, headers, as_json=site.login_json)

    def is_known(self, cookie: str | None = None) -> bool:
        """Whether the site shows that the user is logged in."""
        answer = self.whoami(cookie)
        return answer.status == 200 and (self.site.proof or "") in answer.text

    def whoami(self, cookie: str | None = None, address: str | None = None) -> Answer:
        """The page that shows who is logged in; it is not followed to a login page."""
        assert self.site.whoami is not None
        return self.ask(address or self.site.whoami, follow=False, cookie=cookie)

    def log_out(self) -> Answer:
        """Log out, with the hidden fields of the form that does it."""
        return self.send_logout(self.logout_form())

    def logout_form(self) -> Form:
        """The form that logs out; an empty one if there is none."""
        site = self.site
        if site.logout_method == "GET":
            return Form()
        return self.hidden(site.logout_form or site.whoami, (), site.logout or "")

    def send_logout(self, form: Form, *, wait: bool = True) -> Answer:
        """Log out with what `logout_form` gave."""
        site = self.site
        assert site.logout is not None
        return self._submit(site.logout, site.logout_method, form.hidden, None, wait=wait)

    def forge_logout(self, headers: dict[str, str]) -> Answer:
        """What the browser sends when another site's page logs it out."""
        fields = self.without_token(self.logout_form().hidden)
        return self._submit(self.site.logout or "", "POST", fields, headers, follow=False)

    # Writing.

    def write_form(self) -> Form:
        """The hidden fields that a write needs."""
        return self.hidden(self.site.write_form, (), self.site.write or "")

    def write(
        self,
        key: str,
        value: str,
        hidden: dict[str, str],
        headers: dict[str, str] | None = None,
        *,
        method: str | None = None,
        wait: bool = True,
        follow: bool = True,
    ) -> Answer:
        """Keep value under key in the session.

        :param hidden: the fields that `write_form` gave
        :param headers: None: those of a form of the site's own
        """
        site = self.site
        assert site.write is not None
        # Replaced, not formatted: other braces are the site's.
        address = site.write.replace("{key}", quote(key)).replace("{value}", quote(value))
        fields = dict(hidden)
        for name, text in parse_qsl(site.write_body or "", keep_blank_values=True):
            fields[name] = text.replace("{key}", key).replace("{value}", value)
        how = method or site.write_method
        return self._submit(address, how, fields, headers, follow=follow, wait=wait)

    def read(self) -> str:
        """The page that shows the values of the session."""
        assert self.site.read is not None
        return self.ask(self.site.read).text

    # Looking.

    def cookies_set(self, name: str) -> list[SetCookie]:
        """All cookies with this name that the answers have set, deletions left out."""
        jar = Jar()
        found = [cookie for answer in self.answers for cookie in jar.take(answer)]
        return [cookie for cookie in found if cookie.name == name and not cookie.deletes]
