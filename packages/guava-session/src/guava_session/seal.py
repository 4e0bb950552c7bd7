"""The content of a session's file: payload, expiry, and a signature over both. Bytes only.

    "GSES"         4 bytes
    version        1 byte, 1
    reserved       3 bytes, 0
    expiry         8 bytes, big-endian milliseconds since 1970
    HMAC-SHA-256   32 bytes, over the 16 before it, the file's name, and the payload
    payload        the rest: what the serializer made

The name is the SHA-256 of the session's id, so one session's file is no good under another's name.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Sequence

_HEAD = struct.Struct(">4sB3sq")
_MAGIC = b"GSES"
_VERSION = 1
_RESERVED = bytes(3)
_MAC_BYTES = 32

HEAD_BYTES = _HEAD.size
OVERHEAD = HEAD_BYTES + _MAC_BYTES  # bytes of a file that are not payload
NEVER = 2**63 - 1  # the expiry of what never expires


class BadSealError(ValueError):
    """The bytes are not what seal() made with this key, for this name; the text says why."""


def seal(key: bytes, name: str, expires: int, payload: bytes) -> bytes:
    """The content of the file called name."""
    head = _HEAD.pack(_MAGIC, _VERSION, _RESERVED, expires)
    return b"".join((head, _mac(key, head, name, payload), payload))


def unseal(keys: Sequence[bytes], name: str, blob: bytes) -> tuple[int, bytes]:
    """Expiry and payload of the file called name.

    :raises BadSealError: when it was damaged, or made with none of the keys, or for another name
    """
    if len(blob) < OVERHEAD:
        raise BadSealError("is cut off")
    if peek(blob) is None:
        raise BadSealError("has an unknown format")
    head, mac, payload = blob[:HEAD_BYTES], blob[HEAD_BYTES:OVERHEAD], blob[OVERHEAD:]
    if not any(hmac.compare_digest(mac, _mac(key, head, name, payload)) for key in keys):
        raise BadSealError("was not signed with this store's key, or was damaged")
    expires: int = _HEAD.unpack(head)[3]
    return expires, payload


def peek(head: bytes) -> int | None:
    """The expiry that a file's first bytes state, unverified; None if the format is not ours."""
    magic, version, reserved, expires = _HEAD.unpack_from(head)
    if (magic, version, reserved) != (_MAGIC, _VERSION, _RESERVED):
        return None
    return int(expires)


def _mac(key: bytes, head: bytes, name: str, payload: bytes) -> bytes:
    return hmac.digest(key, b"".join((head, name.encode(), payload)), "sha256")
