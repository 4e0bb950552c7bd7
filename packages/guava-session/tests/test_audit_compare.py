"""What docs/audit.md says of Flask's, Django's and our own sessions is what the audit finds."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def table():
    pytest.importorskip("flask", reason="is compared")
    pytest.importorskip("django", reason="is compared")
    # Django's settings are made once in a process, and other tests have theirs.
    done = subprocess.run(
        [sys.executable, HERE / "audited" / "compare.py"],
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def rows(table):
    lines = [line.strip("| ").split(" | ") for line in table.splitlines() if line[:1] == "|"]
    names = lines[0]
    return {line[0].strip("`"): dict(zip(names, line[1:], strict=True)) for line in lines[2:]}


def test_the_table_in_the_documentation(table):
    text = (HERE.parent / "docs" / "audit.md").read_text(encoding="utf-8")
    assert table in text, f"docs/audit.md has another table than compare.py made:\n{table}"


def test_the_known_weakness_of_sessions_in_cookies_is_found(table):
    replay = rows(table)["logout-replay"]
    for name in ("Flask", "Django, signed_cookies", "guava-session, cookie"):
        assert replay[name] == "**high**"
    for name in ("Django, db", "Django, cache", "guava-session, memory (WSGI)"):
        assert replay[name] == "passed"


def test_sessions_of_ours_on_the_server_pass_all(table):
    for name in ("guava-session, memory (WSGI)", "guava-session, files (ASGI)"):
        assert {row[name] for row in rows(table).values()} == {"passed"}
