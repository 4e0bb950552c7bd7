"""CookieStore: sessions in the visitors' own cookies, signed or encrypted. It keeps nothing."""

from __future__ import annotations

import base64
import binascii
import builtins
import importlib
import secrets
import struct
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .keys import BadSignature, Keys
from .serializer import JSON, Record, Serializer
from .session import log
from .store import DEFAULT_LIFETIME, SessionStore

#: Of the 4096 bytes of name, value and attributes that browsers keep (RFC 6265, section 6.1).
_ROOM = 3800

_SIGNED, _ENCRYPTED = b"s", b"e"
_PURPOSE = "cookie"
_NONCE_BYTES = 12
_HEAD = struct.Struct(">?q")  # compressed, milliseconds since 1970 when it expires
#: Shorter payloads do not get shorter.
_COMPRESS_FROM = 200


class CookieStore(SessionStore):
    """Each session travels in its cookie, so nothing is kept here, and nothing has to be shared.

    Signed (HMAC-SHA-256), so that visitors can read but not change it; or encrypted (AES-256-GCM,
    by the package cryptography), so that they cannot read it either.

    What that costs: some 3 800 bytes are all there is; of parallel requests the last one wins; and
    an old cookie stays good until its lifetime ends, also after `destroy` and `rotate`, if
    somebody has a copy. `bind` and signing out everywhere need a store that remembers: `users=`.

    :param keys: 32 secret bytes or more, or several of them, the newest first; see `Keys`
    :param encrypt: whether visitors cannot read it
    :param users: where users' epochs are kept; without it nobody can be signed out everywhere
    :param lifetime: seconds that a cookie is good after it was made
    :param clock: seconds since 1970, as a callable
    :raises TypeError, ValueError: for what is no key
    :raises ImportError: encrypt=True, and cryptography is not installed
    """

    stateless = True

    def __init__(
        self,
        keys: bytes | Iterable[bytes],
        *,
        type: builtins.type[SessionStore] | None = None,
        encrypt: bool = False,
        users: SessionStore | None = None,
        lifetime: float = DEFAULT_LIFETIME,
        serializer: Serializer = JSON,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(lifetime=lifetime, serializer=serializer)
        self._users = users
        self._keys = Keys(keys)
        self._clock = clock
        self._ciphers: list[Any] = []
        if encrypt:
            try:
                aead: Any = importlib.import_module("cryptography.hazmat.primitives.ciphers.aead")
            except ImportError:
                raise ImportError(
                    "encrypted cookies need cryptography: pip install guava-session[encrypt]"
                ) from None
            self._ciphers = [aead.AESGCM(key) for key in self._keys.derive("encrypted cookie")]

    @property
    def users(self) -> SessionStore | None:
        """Where users' epochs are kept, if anywhere."""
        return self._users

    def is_id(self, value: object) -> bool:
        """Whether value has the shape of such a cookie."""
        return isinstance(value, str) and 50 < len(value) <= _ROOM and value.isascii()

    def seal(self, record: Mapping[str, Any]) -> str:
        """The cookie's value for a session.

        :raises TypeError: naming the key that the serializer cannot store
        :raises ValueError: for a session that does not fit, naming its largest key
        """
        data = self.serializer.dumps(record)
        # The length of what is compressed tells of it, so not what is to be secret.
        small = data if self._ciphers or len(data) < _COMPRESS_FROM else zlib.compress(data)
        compressed = len(small) < len(data)
        expires = int(min((self._clock() + self.lifetime) * 1000, 2**63 - 1))
        payload = _HEAD.pack(compressed, expires) + (small if compressed else data)
        if self._ciphers:
            nonce = secrets.token_bytes(_NONCE_BYTES)
            blob = _ENCRYPTED + nonce + self._ciphers[0].encrypt(nonce, payload, _ENCRYPTED)
        else:
            blob = _SIGNED + self._keys.sign(payload, _PURPOSE)
        token = base64.urlsafe_b64encode(blob).rstrip(b"=").decode()
        if len(token) > _ROOM:
            sizes = {
                key: len(self.serializer.dumps({key: value})) for key, value in record.items()
            }
            largest = max(sizes, key=sizes.__getitem__)
            raise ValueError(
                f"a session of {len(token)} characters does not fit into a cookie ({_ROOM}); its "
                f"largest key is {largest!r}, with {sizes[largest]} bytes. Keep such things in a "
                "database, or the session in another store"
            )
        return token

    def get(self, sid: str) -> Record | None:
        """What a cookie's value holds; None if it is not one of ours, or too old."""
        payload = self._open(sid)
        if payload is None:
            return None
        try:
            compressed, expires = _HEAD.unpack_from(payload)
            if expires <= self._clock() * 1000:
                return None
            data = payload[_HEAD.size :]
            return self.serializer.loads(zlib.decompress(data) if compressed else data)
        except (ValueError, TypeError, struct.error, zlib.error) as error:
            # Sealed by us, so it was another serializer's.
            log.warning("a session's cookie does not suit the serializer (%s); it is none", error)
            return None

    def _open(self, token: str) -> bytes | None:
        try:
            blob = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        kind, rest = blob[:1], blob[1:]
        # What was only signed is not believed where it is to be secret, and the other way round.
        if kind != (_ENCRYPTED if self._ciphers else _SIGNED):
            return None
        if not self._ciphers:
            try:
                return self._keys.verify(rest, _PURPOSE)
            except BadSignature:
                return None
        for cipher in self._ciphers:
            try:
                nonce, text = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
                opened: bytes = cipher.decrypt(nonce, text, _ENCRYPTED)
                return opened
            except Exception:  # InvalidTag, or a ValueError for what is too short
                continue
        return None

    def delete(self, sid: str) -> None:
        """Nothing: the visitor is told to forget the cookie."""

    def clear(self, sid: str | None = None) -> None:
        """:raises NotImplementedError: what visitors hold cannot be taken back; change the keys"""
        raise NotImplementedError(
            "a CookieStore has nothing to clear; to end all sessions, give it new keys"
        )
