"""Names of files that a client sent, made safe to create."""

import re
import unicodedata

# What Windows refuses in a name, or reads as a path, a drive or a stream; in ASCII also what a
# shell reads as its own.
_RESERVED = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]+')
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_.+@=,~-]+")
# Control, format (such as those that turn the direction of writing), surrogate, private and
# unassigned characters, and separators of lines and paragraphs.
_INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_DEVICES = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|clock\$|com[0-9\xb9\xb2\xb3]|lpt[0-9\xb9\xb2\xb3])\Z",
    re.I,
)


def _visible(name: str) -> str:
    return "".join(c for c in name if unicodedata.category(c) not in _INVISIBLE)


def _within(name: str, max_bytes: int) -> str:
    """As much of the name as fits, with its extension where that leaves room for a name."""
    if len(name.encode()) <= max_bytes:
        return name
    stem, dot, extension = name.rpartition(".")
    tail = (dot + extension).encode()
    if not stem or len(tail) > min(32, max_bytes // 2):
        stem, tail = name, b""
    cut = stem.encode()[: max_bytes - len(tail)].decode(errors="ignore")
    return (cut.rstrip(" .") + tail.decode()).rstrip(" .")


def secure_filename(
    name: str, *, unicode: bool = False, max_bytes: int = 255, default: str = "file"
) -> str:
    """A name that is safe to create in a directory of any system, made of one that a client sent.

    What comes back is never a path, never hidden (it begins with no dot), has no control and no
    reserved character, is no device of Windows (``CON``, ``NUL.txt``, ``COM1``), ends with no dot
    or space, and is never empty. Two names may become the same one: do not overwrite what exists.

    name: str, as the client sent it. Of a path, of Unix or of Windows, its last part counts.
    unicode: keep letters and signs beyond ASCII, in normal form C. Otherwise accents are dropped
    (``"Café.pdf"`` becomes ``"Cafe.pdf"``), and so is what has no ASCII form; spaces and what a
    shell reads as its own become ``_``.
    max_bytes: int, the length in UTF-8 at most, at least 16; 255 is what file systems take. An
    extension is kept where it can be.
    default: str, for a name of which nothing is left; it is made safe in the same way.

    TypeError: name is no str. ValueError: max_bytes is below 16, or nothing is left of default.
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a str, not {type(name).__name__}")
    if max_bytes < 16:
        raise ValueError(f"max_bytes must be at least 16, found {max_bytes}")
    stem = default if default == "file" else _safe(default, unicode, max_bytes, "")
    if not stem:
        raise ValueError(f"nothing is left of the default {default!r}")
    return _safe(name, unicode, max_bytes, stem) or stem


def _safe(name: str, unicode: bool, max_bytes: int, stem: str) -> str:
    # Compatibility forms may hide what is reserved, such as a full-width solidus.
    name = _visible(name) if unicode else unicodedata.normalize("NFKD", name)
    name = name.replace("\\", "/").rstrip("/ .").rpartition("/")[2]
    hidden = name.startswith(".")
    if unicode:
        name = unicodedata.normalize("NFC", " ".join(_RESERVED.sub("_", name).split()))
    else:
        name = name.encode("ascii", "ignore").decode()
        name = _NOT_PLAIN.sub("_", "_".join(_RESERVED.sub(" ", name).split()))
    if name.startswith(".") and not hidden:
        name = stem + name  # nothing but the extension is left
    name = name.lstrip(" .-~").rstrip(" .")
    name = _within(name, max_bytes)
    if not name.strip("_"):
        return ""
    # Windows looks at what stands before the first dot, whatever follows.
    if _DEVICES.match(name.partition(".")[0].rstrip()):
        name = _within("_" + name, max_bytes)
    return name
