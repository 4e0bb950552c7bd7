"""/fastapi/ of the shared login. Its store is awaited: no thread waits for Redis."""

import asyncio
import os
from typing import Annotated
from urllib.parse import parse_qs

import accounts
import login_page
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from guava_session import ASGISessions, AsyncRedisStore, CSRFError, Session, SessionManager

app = FastAPI(openapi_url=None)
app.add_middleware(
    ASGISessions, manager=SessionManager(AsyncRedisStore(os.environ["SHARED_LOGIN_REDIS"]))
)


def current(request: Request) -> Session:
    # For type checkers, who take request.session for the dict that Starlette has by itself.
    session: Session = request.scope["session"]
    return session


async def checked_form(request: Request) -> dict[str, str]:
    """The fields of a form that came from one of our pages."""
    fields = parse_qs((await request.body()).decode())
    form = {name: values[-1] for name, values in fields.items()}
    try:
        current(request).check_csrf(form.get("csrf"))
    except CSRFError as error:
        raise HTTPException(403, str(error)) from error
    return form


Form = Annotated[dict[str, str], Depends(checked_form)]


@app.get("/fastapi/", response_class=HTMLResponse)
async def index(request: Request) -> str:
    session = current(request)
    return login_page.show("fastapi", session.user_id, session.csrf_token())


@app.post("/fastapi/login")
async def login(request: Request, form: Form) -> RedirectResponse:
    name, password = form.get("name", ""), form.get("password", "")
    # The check is slow by intent; in a thread it holds up nobody else.
    if not await asyncio.to_thread(accounts.check, name, password):
        raise HTTPException(403, "That name and password do not belong together.")
    await current(request).abind(name)
    return RedirectResponse("/fastapi/", 303)


@app.post("/fastapi/logout")
async def logout(request: Request, form: Form) -> RedirectResponse:
    await current(request).adestroy()
    return RedirectResponse("/fastapi/", 303)


@app.post("/fastapi/everywhere")
async def everywhere(request: Request, form: Form) -> RedirectResponse:
    await current(request).asign_out_everywhere()
    return RedirectResponse("/fastapi/", 303)
