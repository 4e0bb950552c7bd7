"""How a router's session store meets requests and responses."""

from typing import Any

from guava_http import Request, Response
from guava_router import Mounts, Router, UnknownRoute
from guava_session import Session, SessionManager, SessionStore


class Binding:
    """What a controller has of the router that it is behind: its sessions (or, without a store,
    the error that says so), and the addresses that it knows."""

    def __init__(self, router: Router, mounts: Mounts, controller: str) -> None:
        store: SessionStore | None = router.session_store
        self._manager = None if store is None else SessionManager(store)
        self._router = router
        self._mounts = mounts
        self._where = f"{controller} behind {router!r}"

    def url_for(self, name: str, query: Any, params: dict[str, Any]) -> str:
        """A name of the controller's own router, or else of another one."""
        try:
            return self._router.url_for(name, query, **params)
        except UnknownRoute:
            return self._mounts.url_for(name, query, **params)

    def open(self, req: Request) -> Session:
        manager = self._manager
        if manager is None:
            raise RuntimeError(
                f"{self._where} has no sessions: give its router a store, session_store=..."
            )
        return manager.open(req.COOKIES.get(manager.cookie_name), secure=req.scheme == "https")

    def commit(self, session: Session, resp: Response) -> None:
        """Saves what changed, and tells the browser and the caches."""
        assert self._manager is not None
        for name, value in self._manager.headers(session):
            # An action that set its own policy for caches knows more.
            if name == "Cache-Control" and name in resp.headers:
                continue
            resp.headers.add(name, value)
