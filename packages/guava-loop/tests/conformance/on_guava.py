"""Run modules of the interpreter's own test.test_asyncio with every loop they make being ours.

    python on_guava.py test_streams test_ssl

Ends with one line of JSON: how many tests were run, how many loops of ours they made, and the ids
of what failed, with their tracebacks. A program of its own, because the loop is put into asyncio's
namespace, and because these tests count threads and child processes.
"""

import asyncio
import json
import sys
import unittest
from asyncio import unix_events

import exclusions
import guava_loop


class SelectorEventLoop(guava_loop.Loop):
    """Ours, where asyncio's tests hand a selector to the loop they make."""

    made = 0

    def __init__(self, selector=None):
        super().__init__()
        SelectorEventLoop.made += 1
        if selector is not None:
            selector.close()


def put_in_place() -> None:
    policy = getattr(unix_events, "_UnixDefaultEventLoopPolicy", None)
    if policy is not None:
        policy._loop_factory = SelectorEventLoop
    for module in (asyncio, unix_events):
        for name in ("SelectorEventLoop", "EventLoop"):
            if hasattr(module, name):
                setattr(module, name, SelectorEventLoop)


def tests_of(suite):
    for part in suite:
        if isinstance(part, unittest.TestSuite):
            yield from tests_of(part)
        else:
            yield part


def without(test: unittest.TestCase, why: str) -> unittest.TestCase:
    setattr(test, test._testMethodName, lambda: test.skipTest(why))
    return test


def main(names: list[str]) -> None:
    put_in_place()
    loaded = unittest.defaultTestLoader.loadTestsFromNames(
        [f"test.test_asyncio.{name}" for name in names]
    )
    suite = unittest.TestSuite()
    for test in tests_of(loaded):
        why = exclusions.reason(test.id())
        suite.addTest(without(test, why) if why else test)
    result = unittest.TextTestRunner(stream=sys.stderr, verbosity=0).run(suite)
    bad = {str(test): text for test, text in result.failures + result.errors}
    bad |= {str(test): "unexpected success" for test in result.unexpectedSuccesses}
    skipped = {str(test): why for test, why in result.skipped}
    report = {"run": result.testsRun, "loops": SelectorEventLoop.made, "bad": bad}
    print(json.dumps(report | {"skipped": skipped}))


if __name__ == "__main__":
    main(sys.argv[1:])
