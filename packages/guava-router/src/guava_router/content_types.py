"""The media type of a file by its name: the same on every system, whatever lies in /etc."""

from __future__ import annotations

import functools
import mimetypes

UNKNOWN = "application/octet-stream"

# What the standard library's table lacks or has outdated (RFC 9239 for JavaScript).
_OFFICE = "application/vnd.openxmlformats-officedocument"
_WEB = {
    ".7z": "application/x-7z-compressed",
    ".aac": "audio/aac",
    ".apng": "image/apng",
    ".atom": "application/atom+xml",
    ".avif": "image/avif",
    ".css": "text/css",
    ".csv": "text/csv",
    ".docx": f"{_OFFICE}.wordprocessingml.document",
    ".epub": "application/epub+zip",
    ".flac": "audio/flac",
    ".gz": "application/gzip",
    ".htm": "text/html",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".ics": "text/calendar",
    ".js": "text/javascript",
    ".json": "application/json",
    ".jsonld": "application/ld+json",
    ".jxl": "image/jxl",
    ".m4a": "audio/mp4",
    ".m4v": "video/mp4",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".mkv": "video/x-matroska",
    ".mp4": "video/mp4",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".ogv": "video/ogg",
    ".opus": "audio/ogg",
    ".otf": "font/otf",
    ".pdf": "application/pdf",
    ".pptx": f"{_OFFICE}.presentationml.presentation",
    ".rss": "application/rss+xml",
    ".rtf": "application/rtf",
    ".svg": "image/svg+xml",
    ".ts": "video/mp2t",
    ".ttf": "font/ttf",
    ".txt": "text/plain",
    ".wasm": "application/wasm",
    ".wav": "audio/wav",
    ".weba": "audio/webm",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xhtml": "application/xhtml+xml",
    ".xlsx": f"{_OFFICE}.spreadsheetml.sheet",
    ".xml": "application/xml",
    ".zip": "application/zip",
    ".zst": "application/zstd",
}
# A file is sent as it lies there, so "a.tar.gz" is a gzip file and not a tar file in transit.
_PACKED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
_STANDARD = mimetypes.MimeTypes(filenames=())


def content_type(name: str) -> str:
    """The Content-Type of a file name; text is UTF-8."""
    dot = name.rfind(".")
    return _of_suffix(name[dot:].lower() if dot > 0 else "")


@functools.lru_cache(maxsize=256)
def _of_suffix(suffix: str) -> str:
    found = _WEB.get(suffix)
    if found is None:
        guessed, packed = _STANDARD.guess_type("x" + suffix)
        found = _PACKED.get(packed, UNKNOWN) if packed else guessed or UNKNOWN
    return found + "; charset=utf-8" if found.startswith("text/") else found
