"""Everything public says what it is: in help(), and in editors, which read the stub.

"python test_docs.py" writes the module's docstrings into the stub.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import guava_http
import pytest
from guava_http import _core

STUB = Path(guava_http.__file__).with_name("_core.pyi")
WIDTH = 95

Documented = ast.FunctionDef | ast.ClassDef


def words(text: str | None) -> list[str]:
    """Without its line breaks, which differ with the depth of the indentation."""
    return (text or "").split()


def described(body: list[ast.stmt], owner: Any) -> Iterator[tuple[str, Documented, str]]:
    """Name, node and the module's docstring, of what has one; the first of overloads."""
    seen = set()
    for node in body:
        if not isinstance(node, Documented) or node.name in seen:
            continue
        seen.add(node.name)
        found = inspect.getattr_static(owner, node.name, None)
        own = inspect.isclass(owner) and node.name not in vars(owner)
        special = found is None or node.name.startswith("__") or own
        doc = None if special else inspect.getdoc(getattr(owner, node.name, found))
        if doc:
            yield node.name, node, doc
        if isinstance(node, ast.ClassDef) and found is not None:
            for name, inner, text in described(node.body, found):
                yield f"{node.name}.{name}", inner, text


def of_stub() -> list[tuple[str, Documented, str]]:
    return list(described(ast.parse(STUB.read_text()).body, _core))


def literal(doc: str, indent: str) -> str:
    width = WIDTH - len(indent) - 3
    lines: list[str] = []
    for paragraph in doc.split("\n\n"):
        kept = paragraph.splitlines()
        if max(map(len, kept), default=0) > width:
            kept = textwrap.wrap(paragraph, width, break_on_hyphens=False)
        lines += ["", *kept] if lines else kept
    if len(lines) > 1 or len(indent) + len(lines[0]) + 7 > WIDTH or doc.endswith('"'):
        lines.append("")
    text = f"\n{indent}".join(lines).replace(f"{indent}\n", "\n")
    mark = "r" if "\\" in text else ""
    return f'{mark}"""{text}"""'


def write() -> None:
    lines = STUB.read_text().splitlines()
    for _, node, doc in reversed(of_stub()):
        first = node.body[0]
        indent = " " * (node.col_offset + 4)
        text = indent + literal(doc, indent)
        if ast.get_docstring(node) is not None:
            lines[first.lineno - 1 : first.end_lineno] = [text]
        elif not isinstance(first, ast.Expr):
            lines.insert(node.body[0].lineno - 1 - len(getattr(first, "decorator_list", [])), text)
        else:
            line = lines[first.lineno - 1]
            line = line[: first.col_offset].rstrip() + line[first.end_col_offset :]
            lines[first.lineno - 1 : first.end_lineno] = [line, text]
    STUB.write_text("\n".join(lines) + "\n")


PUBLIC = sorted(guava_http.__all__)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_described(name):
    found = getattr(guava_http, name)
    if not inspect.isclass(found) and not inspect.isroutine(found):
        return  # an alias for annotations
    assert (found.__doc__ or "").strip(), name


@pytest.mark.parametrize(
    "name", [name for name in PUBLIC if inspect.isclass(getattr(guava_http, name))]
)
def test_every_public_member_is_described(name):
    cls = getattr(guava_http, name)
    for member, found in vars(cls).items():
        known = callable(found) or isinstance(found, (property, classmethod, staticmethod))
        if inspect.ismemberdescriptor(found) and "__slots__" in vars(cls):
            continue  # a dataclass describes its fields in its own docstring
        if not member.startswith("_") and (known or inspect.isdatadescriptor(found)):
            assert inspect.getdoc(getattr(cls, member)), f"{name}.{member}"


def test_the_stub_has_the_docstrings_of_the_module():
    for name, node, doc in of_stub():
        assert words(ast.get_docstring(node)) == words(doc), f"{name}: python test_docs.py"


if __name__ == "__main__":
    write()
