"""How a router's session store meets requests and responses."""

from typing import Any

from guava_http import Request, Response
from guava_router import Mounts, Router, UnknownRoute
from guava_session import Session, SessionManager, SessionStore


def check_store(store: object) -> None:
    """Refuses what a router cannot keep sessions in."""
    if store is not None and not isinstance(store, (SessionStore, SessionManager)):
        raise TypeError(
            "session_store must be a SessionStore or a SessionManager, "
            f"not {type(store).__name__}: {store!r}"
        )


class Binding:
    """What a controller has of the router that it is behind: its sessions (or, without a store,
    the error that says so), and the addresses that it knows."""

    def __init__(self, router: Router, mounts: Mounts, controller: str) -> None:
        store: SessionStore | SessionManager | None = router.session_store
        manager = SessionManager(store) if isinstance(store, SessionStore) else store
        self._manager = manager
        #: Whether sessions are waited for, before the action and after it: on the event loop's
        #: thread nobody may ask a store that is far away, or wait for another request's lock.
        self.awaited = manager is not None and (manager.store.awaited or manager.locks)
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
        self._tell(self._manager.headers(session), resp)

    async def load(self, req: Request) -> Session:
        """As `open`, for a store that is waited for: the session is loaded, and then in memory."""
        session = self.open(req)
        try:
            await session._aload()
        except BaseException:  # it may have the lock by then
            await self.release(session)
            raise
        return session

    async def acommit(self, session: Session, resp: Response) -> Response:
        """As `commit`, for a store that is waited for."""
        assert self._manager is not None
        self._tell(await self._manager.aheaders(session), resp)
        return resp

    async def release(self, session: Session) -> None:
        """Lets other requests of the session go on, if this one did not get to its end."""
        assert self._manager is not None
        await self._manager.arelease(session)

    @staticmethod
    def _tell(fields: list[tuple[str, str]], resp: Response) -> None:
        for name, value in fields:
            # An action that set its own policy for caches knows more.
            if name == "Cache-Control" and name in resp.headers:
                continue
            resp.headers.add(name, value)
