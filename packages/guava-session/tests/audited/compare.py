"""The table of docs/audit.md: what the audit finds in sessions of guava-session, Flask, Django.

    python packages/guava-session/tests/audited/compare.py [--full]

Each site is the same few pages, written as the framework's documentation shows, with the settings
that it recommends for production.
"""

import logging
import sys
import tempfile
import warnings
from pathlib import Path

from audited_parts import DESCRIPTION
from guava_session.audit import Site, Status, WSGITransport, audit

logging.disable()
warnings.simplefilter("ignore")

MARKS = {Status.PASSED: "passed", Status.UNTESTED: "-", Status.BROKEN: "broken off"}


def reports(folder):
    """The names of the sites, and what was found."""
    import django_sites
    import flask_site
    import guava_sites

    for module in (guava_sites, flask_site, django_sites):
        for name, application in module.sites(folder).items():
            yield name, audit(Site(**DESCRIPTION), WSGITransport(application))


def table(found):
    """Markdown: a row for each check that not all sites pass."""
    names = list(found)
    lines = [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    everywhere = []
    for results in zip(*(report.results for report in found.values()), strict=True):
        if all(result.status is Status.PASSED for result in results):
            everywhere.append(f"`{results[0].check.id}`")
            continue
        marks = [MARKS.get(result.status) or f"**{result.severity}**" for result in results]
        lines.append(f"| `{results[0].check.id}` | {' | '.join(marks)} |")
    return "\n".join([*lines, "", f"Passed by all: {', '.join(everywhere)}."])


def main():
    with tempfile.TemporaryDirectory() as folder:
        found = dict(reports(Path(folder)))
    if "--full" in sys.argv:
        for name, report in found.items():
            print(f"==== {name} ====\n{report.text()}\n")
    print(table(found))


if __name__ == "__main__":
    main()
