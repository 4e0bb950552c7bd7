"""The Authorization field: who the client says it is."""

import base64
import binascii
import re
from dataclasses import dataclass, field

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TOKEN_68 = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


@dataclass(frozen=True, slots=True)
class Authorization:
    """What an Authorization field says (RFC 9110, 11.6.2). Its repr shows no secret.

    scheme: str in lower case, ``"basic"``, ``"bearer"``, ``"digest"``.
    username, password: str, of Basic (RFC 7617), else None.
    token: str, what follows the scheme in one piece, such as Bearer's (RFC 6750); of Basic and of
    schemes with parameters None.
    params: dict of str to str, names in lower case, of schemes such as Digest.

    Compare secrets with :func:`hmac.compare_digest`.
    """

    scheme: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    params: dict[str, str] = field(default_factory=dict, repr=False, hash=False)


def _basic(text: str) -> Authorization | None:
    try:
        decoded = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    try:
        pair = decoded.decode()
    except UnicodeDecodeError:
        pair = decoded.decode("latin-1")
    username, colon, password = pair.partition(":")
    if not colon or not pair.isprintable():
        return None
    return Authorization("basic", username, password)


def parse_authorization(value: str | None) -> Authorization | None:
    """What an Authorization (or Proxy-Authorization) field says; None if it is not well-formed.

    value: str, or None for a field that was not sent. Basic's name and password are read as
    UTF-8, else as latin-1.
    """
    scheme, _, rest = (value or "").strip(" \t").partition(" ")
    scheme, rest = scheme.lower(), rest.strip(" \t")
    if not _TOKEN.fullmatch(scheme):
        return None
    if scheme == "basic":
        return _basic(rest)
    if not rest:
        return Authorization(scheme)
    if _TOKEN_68.fullmatch(rest):
        return Authorization(scheme, token=rest)
    params = _params(rest)
    return None if params is None else Authorization(scheme, params=params)


_AUTH_PARAM = re.compile(
    r"[ \t]*(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*"
    r'(?:([!#$%&\'*+.^_`|~0-9A-Za-z-]+)|"((?:[^"\\]|\\.)*)")[ \t]*)?(?:,|\Z)'
)


def _params(text: str) -> dict[str, str] | None:
    """name=value, name="value"; None if there is anything else, or a name twice."""
    params: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _AUTH_PARAM.match(text, at)
        if match is None:
            return None
        at = match.end()
        name, token, quoted = match.groups()
        if name is None:
            continue
        if name.lower() in params:
            return None
        params[name.lower()] = token or re.sub(r"\\(.)", r"\1", quoted)
    return params or None
