"""These take minutes, so they are collected only when they are asked for by name, as in
pytest packages/guava-loop/tests/conformance. ../test_loop_mixins.py is their short form."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    asked = (Path(argument.partition("::")[0]).resolve() for argument in config.args)
    if any(path == HERE or HERE in path.parents for path in asked):
        return None
    return True
