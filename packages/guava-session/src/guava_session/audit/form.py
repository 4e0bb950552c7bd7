"""The forms of a page: where they go, and the hidden fields that must come along."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass(slots=True)
class Form:
    """One form of a page."""

    action: str = ""  #: as in the page; "" is the page itself
    method: str = "GET"
    fields: dict[str, str] = field(default_factory=dict)  #: all that have a name
    hidden: dict[str, str] = field(default_factory=dict)


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            method = values.get("method", "get").upper()
            self._open = Form(values.get("action", ""), method)
            self.forms.append(self._open)
        elif tag in ("input", "textarea", "select", "button") and self._open is not None:
            name = values.get("name")
            if name:
                self._open.fields[name] = values.get("value", "")
                if values.get("type", "").lower() == "hidden":
                    self._open.hidden[name] = values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None


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
