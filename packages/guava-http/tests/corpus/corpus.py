"""Reads the corpus: what README.md beside it says, in Python."""

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SECOND = b"GET /second HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n"
_TIMES = re.compile(r"<([^<>]+)\*(\d+)>", re.DOTALL)


def to_bytes(text: str) -> bytes:
    return _TIMES.sub(lambda found: found[1] * int(found[2]), text).encode("latin-1")


@dataclass(frozen=True)
class Case:
    """One request, or something that is none.

    Args:
        name: its file, and why it is as it is.
        label: "reject", "accept" or "free".
        rfc: number and section.
        data: the bytes, without the second request.
        status: those that may answer it, if it is refused.
        before: requests that come before what is refused.
        sees: method, target, body, host, fields: what is to be understood.
    """

    name: str
    label: str
    rfc: str
    data: bytes
    status: tuple[int, ...] = ()
    before: int = 0
    sees: dict[str, Any] = field(default_factory=dict)


def read_file(path: Path) -> list[Case]:
    table = tomllib.loads(path.read_text(encoding="ascii"))
    cases = []
    for row in table["rows"]:
        label = next(key for key in ("reject", "accept", "free") if key in row)
        status = row.get("status", [])
        seen = {**table["defaults"], **row}
        sees = {
            key: to_bytes(seen[key]) for key in ("method", "target", "body", "host") if key in seen
        }
        sees["fields"] = [tuple(map(to_bytes, pair)) for pair in row.get("fields", [])]
        cases.append(
            Case(
                name=f"{path.stem}: {row['why']}",
                label=label,
                rfc=row["rfc"],
                data=to_bytes(table["template"].replace("{}", row[label])),
                status=tuple(status) if isinstance(status, list) else (status,),
                before=row.get("before", 0),
                sees=sees,
            )
        )
    return cases


def read_corpus() -> list[Case]:
    return [case for path in sorted(HERE.glob("*.toml")) for case in read_file(path)]
