"""The forms of a page: where they go, and the hidden fields that must come along."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass(slots=True)
class Form:
    """One form of a page."""

    action: str = ""  #: as in the page; "" is the page itself
    method: str = "GET"
    fields: dict[str, str] = field(default_factory=dict)  #: all that have a name
    #: What comes along by itself: hidden fields, and the button that the key Enter presses.
    hidden: dict[str, str] = field(default_factory=dict)


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None
        self._has_button = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            method = values.get("method", "get").upper()
            self._open = Form(values.get("action", ""), method)
            self._has_button = False
            self.forms.append(self._open)
        elif tag in ("input", "textarea", "select", "button") and self._open is not None:
            name = values.get("name")
            if name:
                self._open.fields[name] = values.get("value", "")
            kind = values.get("type", "submit" if tag == "button" else "").lower()
            button = kind in ("submit", "image") and not self._has_button
            self._has_button |= button
            if name and tag in ("input", "button") and (kind == "hidden" or button):
                self._open.hidden[name] = values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None


_NAMED = re.compile(r"csrf|xsrf|token|nonce|verif|authentic|secret|sig|state|hash|key", re.I)
_RANDOM = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[\w+/=.:~-]{16,}", re.DOTALL)


def looks_like_token(name: str, value: str) -> bool:
    """Whether a hidden field is one that others cannot know, by its name or by its value."""
    return bool(_NAMED.search(name) or _RANDOM.fullmatch(value))


def find_forms(page: str) -> list[Form]:
    """All forms of a page of HTML."""
    parser = _Parser()
    parser.feed(page)
    parser.close()
    return parser.forms


def find_form(page: str, names: Collection[str]) -> Form | None:
    """The form of a page that has most of these fields; None if none has one."""
    forms = find_forms(page)
    best = max(forms, key=lambda form: len(form.fields.keys() & set(names)), default=None)
    return best if best is not None and best.fields.keys() & set(names) else None
