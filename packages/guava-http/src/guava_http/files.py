"""What a FileResponse says of a file: the type of its extension, the name to save it under."""

from collections.abc import Iterable

from ._core import quote

__all__ = ["CONTENT_TYPES", "content_disposition"]

CONTENT_TYPES: dict[str, str] = {
    ".7z": "application/x-7z-compressed",
    ".aac": "audio/aac",
    ".apng": "image/apng",
    ".atom": "application/atom+xml",
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".bz2": "application/x-bzip2",
    ".css": "text/css; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".doc": "application/msword",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".epub": "application/epub+zip",
    ".flac": "audio/flac",
    ".gif": "image/gif",
    ".gz": "application/gzip",
    ".htm": "text/html; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".ics": "text/calendar; charset=utf-8",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".jsonld": "application/ld+json",
    ".jxl": "image/jxl",
    ".m4a": "audio/mp4",
    ".m4v": "video/mp4",
    ".map": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".mkv": "video/x-matroska",
    ".mov": "video/quicktime",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".mpeg": "video/mpeg",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".ogv": "video/ogg",
    ".opus": "audio/ogg",
    ".otf": "font/otf",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".ppt": "application/vnd.ms-powerpoint",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".rss": "application/rss+xml",
    ".rtf": "application/rtf",
    ".svg": "image/svg+xml",
    ".tar": "application/x-tar",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".ts": "video/mp2t",
    ".tsv": "text/tab-separated-values; charset=utf-8",
    ".ttf": "font/ttf",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".wav": "audio/wav",
    ".weba": "audio/webm",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xhtml": "application/xhtml+xml",
    ".xls": "application/vnd.ms-excel",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xml": "application/xml",
    ".zip": "application/zip",
    ".zst": "application/zstd",
}
"""The Content-Type of each extension, in lower case with its dot. Yours to add to."""

_CODINGS = ("br", "zst", "gz")


def _codings(precompressed: object) -> tuple[str, ...]:
    """The argument of FileResponse as a tuple, looked at."""
    if precompressed is True:
        return _CODINGS
    if isinstance(precompressed, str | bytes) or not isinstance(precompressed, Iterable):
        raise TypeError(
            f"precompressed is True or a sequence of extensions, not {precompressed!r}"
        )
    chosen = []
    for extension in precompressed:
        if extension not in _CODINGS:
            raise ValueError(
                f'precompressed has extensions out of "br", "zst" and "gz", found {extension!r}'
            )
        # What the native half gets are these very strings, whatever claims to equal them.
        chosen.append(_CODINGS[_CODINGS.index(extension)])
    return tuple(chosen)


def content_disposition(filename: str | None = None, inline: bool = False) -> str:
    """The value of a Content-Disposition field (RFC 6266).

    filename: str, the name to save under, in any script; of a path the last part counts. One that
    is not plain ASCII goes out twice: with "_" for what is not, and as RFC 8187 writes it, which
    all of today's browsers read. None: no name.
    inline: show it rather than save it.
    ValueError: the name has control characters.

    >>> content_disposition("report.pdf")
    'attachment; filename="report.pdf"'
    >>> content_disposition("Ünder.txt", inline=True)
    'inline; filename="_nder.txt"; filename*=UTF-8\\'\\'%C3%9Cnder.txt'
    """
    kind = "inline" if inline else "attachment"
    if filename is None:
        return kind
    # A name is no path, of any system: a browser that took it for one would save elsewhere.
    name = filename.replace("\\", "/").rpartition("/")[2]
    if any(c < " " or "\x7f" <= c < "\xa0" for c in name):
        raise ValueError(f"a filename has no control characters, found {filename!r}")
    plain = "".join(c if " " <= c <= "~" and c not in '"%' else "_" for c in name)
    value = f'{kind}; filename="{plain}"'
    if plain != name:
        encoded = quote(name.encode("utf-8", "replace"), safe="!#$&+^`|")
        value += f"; filename*=UTF-8''{encoded}"
    return value
