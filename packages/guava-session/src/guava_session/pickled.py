"""UnsafePickleSerializer: any Python object, at a price that its name tells."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from .keys import Keys
from .serializer import Record

_PURPOSE = "pickle"


class UnsafePickleSerializer:
    """Sessions by pickle, signed. **Whoever has the key runs code in your program.**

    Loading a pickle runs what it says, so it is only loaded behind a signature (HMAC-SHA-256) of
    these keys. A leaked key, which for other serializers means forged sessions, here means a
    taken server; and pickles of one version of your classes may not load in the next. Prefer
    values that `JSONSerializer` keeps.

    :param keys: 32 secret bytes or more, or several of them, the newest first; see `Keys`
    :raises TypeError, ValueError: for what is no key
    """

    __slots__ = ("_keys",)

    def __init__(self, keys: bytes | Iterable[bytes]) -> None:
        self._keys = Keys(keys)
        warnings.warn(
            "sessions are kept as pickles: whoever learns the key can run code in this program",
            RuntimeWarning,
            stacklevel=2,
        )

    def dumps(self, record: Mapping[str, Any], /) -> bytes:
        """The record as signed bytes. Raises TypeError for what cannot be pickled."""
        try:
            return self._keys.sign(pickle.dumps(dict(record)), _PURPOSE)
        except (pickle.PicklingError, AttributeError) as error:
            raise TypeError(f"a session holds what cannot be pickled: {error}") from error

    def loads(self, data: bytes, /) -> Record:
        """The record; ValueError when it was not signed with these keys, or does not load."""
        payload = self._keys.verify(data, _PURPOSE)
        try:
            record = pickle.loads(payload)
        except Exception as error:
            raise ValueError(f"a session's pickle does not load: {error!r}") from error
        if type(record) is not dict:
            raise ValueError(f"a session is a dict, not {type(record).__name__}")
        return record
