"""The demo under the attack suite of guava-session: nothing is found."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from guava_session.audit import HTTPTransport, Site, Status, audit

BLOG = Path(__file__).parent.parent / "examples" / "blog" / "app.py"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, BLOG, "--port", "0", "--data", tmp_path / "data"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"Guava's demo is at (http://127\.0\.0\.1:\d+/)\n", line)
    if found is None:
        process.kill()
        pytest.fail(line + process.communicate()[1])
    yield found[1]
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Traceback" not in errors


def test_nothing_is_found(url: str) -> None:
    site = Site(
        url,
        login="/session/login",
        username="demo",
        password="guava",
        user_field="name",
        whoami="/session/visits",
        proof="<dt>Signed in as</dt><dd>demo",
        logout="/session/logout",
        # It has no page that only changes the session; a post is written with the same token.
        write="/post/new",
        write_body="title={key}&body={value}",
        write_form="/post/new",
        read="/post/export",
    )
    report = audit(site, HTTPTransport(timeout=60))
    assert report.cookie == "guava_sid"
    assert not report.findings(), report.text()
    open_points = {r.check.id for r in report.results if r.status is not Status.PASSED}
    # It is served without TLS here, and has no page that fails.
    assert open_points == {
        "cookie-secure",
        "cookie-prefix",
        "error-survives",
        "tls-hsts",
        "tls-downgrade",
    }, report.text()
