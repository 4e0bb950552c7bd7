"""How a router's session store meets requests and responses."""

from guava_http import Request, Response
from guava_session import Session, SessionManager, SessionStore


class Binding:
    """The sessions of one router; or, without a store, the error that says so."""

    def __init__(self, store: SessionStore | None, where: str) -> None:
        self._manager = None if store is None else SessionManager(store)
        self._where = where

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
