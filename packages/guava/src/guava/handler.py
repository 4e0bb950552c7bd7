"""What routers answer with: which action, which file, or which redirect."""

from guava_router import Handler, NotFound, RedirectHandler, StaticHandler

__all__ = ["Handler", "NotFound", "RedirectHandler", "StaticHandler"]
