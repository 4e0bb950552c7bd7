import asyncio
from datetime import UTC, datetime

from guava.response import Response
from page import Page
from store import store


class SessionController(Page):
    async def login(self) -> str | Response:
        if self.req.method != "POST":
            return self.render("session/login.html", name="", problem=None)
        name, password = self.POST.get("name", ""), self.POST.get("password", "")
        # The check is slow by intent; in a thread it holds up nobody else.
        good = await asyncio.to_thread(store.check_password, password, store.secret(name))
        if not good:
            self.set_status_code(422)
            problem = "That name and password do not belong together."
            return self.render("session/login.html", name=name, problem=problem)
        # Under a new id: one that somebody planted before the sign-in is worth nothing after it.
        self.SESSION.bind(name)
        self.SESSION.flash(f"Welcome, {name}.")
        return self.redirect(self.SESSION.pop("next", "/"), 303)

    def logout(self) -> str | Response:
        if self.req.method != "POST":
            return self.render("session/logout.html")
        self.SESSION.destroy()
        return self.redirect("/", 303)

    def visits(self) -> str:
        self.SESSION["visits"] = self.SESSION.get("visits", 0) + 1
        first = self.SESSION.setdefault("first", datetime.now(UTC).isoformat(timespec="minutes"))
        return self.render(
            "session/visits.html",
            visits=self.SESSION["visits"],
            first=first,
        )
