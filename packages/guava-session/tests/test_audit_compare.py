"""What docs/audit.md says of Flask's, Django's and our own sessions is what the audit finds."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from guava_session.audit import Site
from guava_session.audit.catalogue import CHECKS

sys.path.append(str(Path(__file__).parent / "audited"))

from audited_site import AuditedSite

HERE = Path(__file__).parent
TEXT = (HERE.parent / "docs" / "audit.md").read_text(encoding="utf-8")


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
    assert table in TEXT, f"docs/audit.md has another table than compare.py made:\n{table}"


def test_the_known_weakness_of_sessions_in_cookies_is_found(table):
    replay = rows(table)["logout-replay"]
    for name in ("Flask", "Django, signed_cookies", "guava-session, cookie"):
        assert replay[name] == "**high**"
    for name in ("Django, db", "Flask with guava-session", "guava-session, memory (WSGI)"):
        assert replay[name] == "passed"


def test_sessions_of_ours_on_the_server_pass_all(table):
    for name in ("guava-session, memory (WSGI)", "guava-session, files (ASGI)"):
        assert {row[name] for row in rows(table).values()} == {"passed"}


# The rest of docs/audit.md; this needs neither.


def test_every_check_is_in_the_documentation():
    for check in CHECKS:
        row = f"| `{check.id}` | {check.severity} | {check.did} | {check.source} |"
        assert row in TEXT, row


def test_the_file_in_the_documentation_describes_a_site():
    (toml,) = re.findall(r"^```toml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    site = Site.from_mapping(tomllib.loads(toml))
    assert site.write is not None and site.logout_form is not None


def test_the_test_in_the_documentation():
    (block,) = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    names = {}
    exec(compile(block, "docs/audit.md", "exec"), names)
    with pytest.raises(AssertionError, match="login-rotation"):
        names["test_our_sessions"](AuditedSite("no-rotation", "named-fields"))
    names["test_our_sessions"](AuditedSite("named-fields"))
