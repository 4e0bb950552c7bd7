"""The small pages that Guava writes itself: errors, with a traceback in debug mode."""

import html
import json
import traceback
from http import HTTPStatus

from guava_http import Request, Response

_STYLE = """
:root { color-scheme: light dark;
  --ink: #2a2430; --soft: #71687a; --ground: #fbf8f4; --pink: #c2345a; --wash: #f3ece6 }
@media (prefers-color-scheme: dark) { :root {
  --ink: #ece6ee; --soft: #a398ab; --ground: #17141a; --pink: #ff8ca5; --wash: #241f29 } }
body { margin: 0; padding: 14vh 1.5rem 3rem; color: var(--ink); background: var(--ground);
  font: 1.05rem/1.6 system-ui, sans-serif }
main { max-width: 34rem; margin: 0 auto }
main:has(pre) { max-width: 60rem }
b { font: 600 4rem/1 Georgia, serif; color: var(--pink) }
h1 { font: 600 1.6rem/1.3 Georgia, serif; margin: .4em 0 }
p { color: var(--soft); margin: 0; overflow-wrap: anywhere }
pre { background: var(--wash); padding: 1rem 1.2rem; border-radius: .6rem; overflow-x: auto;
  font: .875rem/1.5 ui-monospace, Menlo, Consolas, monospace }
"""

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{status} {phrase}</title>
<style>
{style}</style>
</head>
<body><main><b>{status}</b><h1>{phrase}</h1><p>{text}</p>{more}</main></body>
</html>
"""

# What a visitor can make of a status; the phrase of the RFC is the heading.
_TEXTS = {
    403: "You may not see this page.",
    404: "There is no page at this address.",
    405: "This address does not answer to that method.",
    500: "Something went wrong on our side. It has been noted.",
    503: "The server is busy. Please try again in a moment.",
}


def phrase_of(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error" if status >= 400 else "Answer"


def error_page(
    req: Request, status: int, text: str | None = None, error: BaseException | None = None
) -> Response:
    """The page for an error status.

    It is JSON, ``{"error": ..., "status": ...}``, for a client that accepts JSON and does not ask
    for HTML, else a small HTML page without any outside resource.

    Args:
        req: the request that is answered.
        status: 400 to 599.
        text: one sentence for the reader, plain text; the default depends on the status.
        error: its traceback is shown; give it in debug mode only.
    """
    phrase = phrase_of(status)
    accept = req.HEADERS.get("Accept", "")
    if "json" in accept and "text/html" not in accept:
        content: dict[str, object] = {"status": status, "error": text or phrase}
        if error is not None:
            content["traceback"] = traceback.format_exception(error)
        return Response(json.dumps(content), status=status, content_type="application/json")
    more = ""
    if error is not None:
        more = f"<pre>{html.escape(''.join(traceback.format_exception(error)))}</pre>"
    page = _PAGE.format(
        status=status,
        phrase=html.escape(phrase),
        text=html.escape(text if text is not None else _TEXTS.get(status, "")),
        more=more,
        style=_STYLE.lstrip(),
    )
    return Response(page, status=status, content_type="text/html; charset=utf-8")
