"""`Cookie`: one cookie with its attributes."""

from guava_http import Cookie

__all__ = ["Cookie"]
