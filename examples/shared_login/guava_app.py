"""/guava/ of the shared login."""

import asyncio
import os

import accounts
import guava
import login_page
from guava.controller import Controller
from guava.handler import Handler
from guava.response import Response
from guava_session import AsyncRedisStore


class LoginController(Controller):
    """Each action but the page itself takes a form of it; a forged one is answered with 403."""

    def index(self) -> str:
        return login_page.show("guava", self.SESSION.user_id, self.SESSION.csrf_token())

    async def login(self) -> str | Response:
        self.check_form()
        name, password = self.POST.get("name", ""), self.POST.get("password", "")
        # The check is slow by intent; in a thread it holds up nobody else.
        if not await asyncio.to_thread(accounts.check, name, password):
            self.set_status_code(403)
            return "That name and password do not belong together."
        await self.SESSION.abind(name)
        return self.redirect("/guava/", 303)

    async def logout(self) -> str | Response:
        self.check_form()
        await self.SESSION.adestroy()
        return self.redirect("/guava/", 303)

    async def everywhere(self) -> str | Response:
        self.check_form()
        await self.SESSION.asign_out_everywhere()
        return self.redirect("/guava/", 303)

    def check_form(self) -> None:
        self.SESSION.check_csrf(self.POST.get("csrf"))


def main() -> None:
    actions = {"/": "index", "/login": "login", "/logout": "logout", "/everywhere": "everywhere"}
    router = guava.router.Router(
        {
            path: Handler(module="guava_app", controller="LoginController", action=action)
            for path, action in actions.items()
        },
        mount_point="/guava",
        session_store=AsyncRedisStore(os.environ["SHARED_LOGIN_REDIS"]),
    )
    server = guava.server.Server(port=0)
    server.add_router(router)
    server.serve(ready=lambda url: print(url, flush=True))


if __name__ == "__main__":
    main()
