"""Tokens against forged requests (CSRF), made from a session's id and proved with it.

A page of another site can make a visitor's browser send a request with its cookie, but it cannot
read our pages. So a form carries a token that only our pages show, and the request that comes back
without it is refused (OWASP, Cross-Site Request Forgery Prevention, "synchronizer token").

The token is HMAC-SHA-256 of a fixed text under the id. Nothing needs to be stored, a new id has
new tokens, and who sees a token does not learn the id. Every token is masked with random bytes of
its own, so that a compressed page does not give it away byte by byte (BREACH).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets

_TEXT = b"guava-session csrf 1"
_BYTES = 32
_LENGTH = 86  # characters of 64 bytes in base64url, without padding


class CSRFError(ValueError):
    """A request came without the token of its session; answer it with 403."""


def make_token(sid: str) -> str:
    """A token of the session with this id: 86 characters of base64url."""
    mask = secrets.token_bytes(_BYTES)
    return base64.urlsafe_b64encode(mask + _xor(mask, _secret(sid))).rstrip(b"=").decode()


def is_token(sid: str, token: object) -> bool:
    """Whether a token was made for this id. It takes the same time wherever they differ."""
    if not isinstance(token, str) or len(token) != _LENGTH or not token.isascii():
        return False
    try:
        both = base64.b64decode(token + "==", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(_xor(both[:_BYTES], both[_BYTES:]), _secret(sid))


def _secret(sid: str) -> bytes:
    return hmac.digest(sid.encode(), _TEXT, "sha256")


def _xor(a: bytes, b: bytes) -> bytes:
    return (int.from_bytes(a) ^ int.from_bytes(b)).to_bytes(_BYTES)
