"""Keys: secrets that sign, with the older ones still believed."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

#: Bytes that a secret has at least (NIST SP 800-107, section 5.3.4: as many as the hash has).
MIN_BYTES = 32

MAC_BYTES = 32


class BadSignature(ValueError):
    """What was signed was changed, or signed with none of these keys, or for something else."""


class Keys:
    """Secrets, the newest first: it signs, and all are believed.

    To change keys, put a new one in front and leave the old ones until what they signed has
    expired. Every purpose has keys of its own, derived from the secrets, so that what was signed
    for one is no good for another.

    :param secrets: one secret or several, of 32 bytes or more each, from `secrets.token_bytes(32)`
    :raises TypeError: for what is not bytes; a password is no key
    :raises ValueError: for no secret at all, or one that is too short
    """

    def __init__(self, secrets: bytes | Iterable[bytes] | Keys) -> None:
        if isinstance(secrets, Keys):
            self._secrets: tuple[bytes, ...] = secrets._secrets
            return
        found = (secrets,) if isinstance(secrets, (bytes, str)) else tuple(secrets)
        for secret in found:
            if not isinstance(secret, bytes):
                raise TypeError(f"a key is bytes, not {type(secret).__name__}")
            if len(secret) < MIN_BYTES:
                raise ValueError(
                    f"a key of {len(secret)} bytes is too short; {MIN_BYTES} are needed"
                )
        if not found:
            raise ValueError("there must be at least one key")
        self._secrets = found

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """The secrets themselves, the newest first."""
        return self._secrets

    def derive(self, purpose: str) -> tuple[bytes, ...]:
        """The keys for a purpose, 32 bytes each, the newest first."""
        text = b"guava-session " + purpose.encode()
        return tuple(hmac.digest(secret, text, "sha256") for secret in self._secrets)

    def sign(self, data: bytes, purpose: str) -> bytes:
        """data behind its HMAC-SHA-256."""
        return hmac.digest(self.derive(purpose)[0], data, "sha256") + data

    def verify(self, blob: bytes, purpose: str) -> bytes:
        """What sign() was given.

        :raises BadSignature: when it is not what sign() made with one of these keys
        """
        mac, data = blob[:MAC_BYTES], blob[MAC_BYTES:]
        for key in self.derive(purpose):
            if hmac.compare_digest(mac, hmac.digest(key, data, "sha256")):
                return data
        raise BadSignature("the signature is not one of these keys'")

    def __repr__(self) -> str:
        return f"<Keys: {len(self._secrets)}>"
