"""What all pages of the blog share: templates, who is signed in, tokens on forms, notices."""

from datetime import datetime
from http import HTTPStatus
from pathlib import Path

import jinja2
from guava.controller import Controller
from guava.request import Request
from guava.response import HTTPError, Response
from guava.session import CSRFError
from markup import excerpt, to_html
from markupsafe import Markup

FOLDER = Path(__file__).parent

# What every page tells the browser: nothing from elsewhere, in nobody's frame.
GUARDS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}

templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
)
templates.filters.update(
    day=lambda moment: f"{moment:%B} {moment.day}, {moment.year}",
    minute=lambda text: f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC",
    excerpt=excerpt,
    to_html=to_html,
)


def error_page(req: Request, status: int, text: str | None) -> Response:
    """An error in the blog's own look. It asks no session: it must work whatever has failed."""
    page = templates.get_template("missing.html").render(
        here=req.path,
        heading="Nothing here" if status == 404 else HTTPStatus(status).phrase,
        text=text or ("There is no page at this address." if status == 404 else ""),
    )
    return Response(page, status=status, headers=GUARDS)


class Page(Controller):
    """The base of all controllers of the blog.

    It lies outside the package `controllers`, so the router finds no address for it.
    """

    def before_action(self) -> None:
        """A form that changes something carries the session's token; no other site knows it."""
        if self.req.method in ("GET", "HEAD"):
            return
        try:
            self.SESSION.check_csrf(self.POST.get("token"))
        except CSRFError:
            text = "This form is too old. Go back, reload the page and try again."
            raise HTTPError(403, text) from None

    def after_action(self) -> None:
        for name, value in GUARDS.items():
            self.set_header(name, value)

    # ---- for the actions ---------------------------------------------------------------------

    @property
    def user(self) -> str | None:
        """The name of who is signed in."""
        name = self.SESSION.user_id
        return None if name is None else str(name)

    def needs_user(self) -> str | None:
        """Who is signed in; if nobody is, the answer becomes the way to the sign-in page."""
        if self.user is None:
            if self.req.method == "GET":
                self.SESSION["next"] = self.req.url
            self.redirect("/session/login", 303)
        return self.user

    def render(self, template: str, **values: object) -> str:
        if self.user is not None:
            # Who sits here after the sign-out does not see it by the button Back.
            self.set_header("Cache-Control", "no-store")
        return templates.get_template(template).render(
            here=self.req.path,
            user=self.user,
            csrf_field=self._token_field,
            flashes=self._flashes,
            **values,
        )

    def missing(self, text: str) -> str:
        self.set_status_code(404)
        return self.render("missing.html", heading="Nothing here", text=text)

    # ---- for the templates -------------------------------------------------------------------

    def _flashes(self) -> list[str]:
        return [flash.message for flash in self.SESSION.flashes()]

    def _token_field(self) -> Markup:
        token = self.SESSION.csrf_token()
        return Markup('<input type="hidden" name="token" value="{}">').format(token)
