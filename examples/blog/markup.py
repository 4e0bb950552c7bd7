"""The little markup of posts: paragraphs, `code`, and blocks of code between ``` lines.

Every piece of the text is escaped before a tag is put around it, so no text can become markup.
"""

import re

from markupsafe import Markup, escape

_FENCE = re.compile(r"^```[^\n]*\n(.*?)(?:\n```[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")


def _line(text: str) -> Markup:
    # The pieces alternate: outside, inside, outside, ...
    pieces = _CODE.split(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if number % 2 else escape(piece)
        for number, piece in enumerate(pieces)
    )


def _paragraphs(text: str) -> Markup:
    blocks = (block.strip("\n") for block in re.split(r"\n\s*\n", text))
    return Markup("\n").join(
        Markup("<p>{}</p>").format(Markup("<br>\n").join(map(_line, block.split("\n"))))
        for block in blocks
        if block.strip()
    )


def to_html(text: str) -> Markup:
    """A post's text as HTML that is safe to insert."""
    out = []
    for number, piece in enumerate(_FENCE.split(text)):
        if number % 2:
            out.append(Markup("<pre><code>{}</code></pre>").format(piece))
        else:
            out.append(_paragraphs(piece))
    return Markup("\n").join(out)


def excerpt(text: str, length: int = 220) -> str:
    """The beginning of a text in one line, cut between words; not yet escaped."""
    plain = " ".join(_FENCE.sub(" ", text).replace("`", "").split())
    if len(plain) <= length:
        return plain
    return plain[: length + 1].rsplit(" ", 1)[0].rstrip(",;:.") + "\N{HORIZONTAL ELLIPSIS}"
