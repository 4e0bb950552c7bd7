"""What routers answer with: which action, which file, or which redirect."""

from guava_router import Handler, RedirectHandler, StaticHandler

__all__ = ["Handler", "RedirectHandler", "StaticHandler"]
