"""The examples of the README's part about the types, as an interactive session."""

import doctest
from pathlib import Path

TEXT = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_the_session_is_as_shown():
    part = TEXT.partition("## Request, Response, Cookie on their own\n")[2].partition("\n## ")[0]
    # A doctest knows no fences: they would be part of the expected output.
    part = part.replace("```pycon\n", "\n").replace("\n```\n", "\n\n")
    test = doctest.DocTestParser().get_doctest(part, {}, "README.md", "README.md", 0)
    assert len(test.examples) > 25
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    output = []
    assert runner.run(test, out=output.append).failed == 0, "".join(output)
