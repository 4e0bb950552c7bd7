"""What comes in: `Request`."""

from guava_http import Request

__all__ = ["Request"]
