"""before_action and after_action, plain and async."""

from collections.abc import Callable

import pytest

ACTIONS = """
    def index(self):
        return "plain"

    async def later(self):
        return "async"

    def status(self):
        self.set_status_code(203)
        self.write("with status")

    def fails(self):
        1 / 0

    def stream(self):
        yield "a"
        yield "b"
"""


def controller(*hooks: str) -> str:
    return (
        "class IndexController(Controller):\n"
        + "\n".join(f"    {line}" for hook in hooks for line in hook.splitlines())
        + ACTIONS
    )


@pytest.mark.parametrize("kind", ["def", "async def"])
class TestHooks:
    @pytest.mark.parametrize("verdict", ["pass", "return True", "return None"])
    def test_before_lets_pass(self, serve: Callable, kind: str, verdict: str) -> None:
        hook = f"{kind} before_action(self):\n    self.set_header('X-Before', 'yes'); {verdict}"
        client = serve(index=controller(hook))
        for path, text in [("/", "plain"), ("/index/later", "async"), ("/index/stream", "ab")]:
            answer = client.ask(path)
            assert (answer.status, answer.text, answer.headers["X-Before"]) == (200, text, "yes")

    @pytest.mark.parametrize(
        ("verdict", "status", "text"),
        [
            ("return False", 403, None),
            ("self.write('no'); return False", 200, "no"),
            ("self.set_status_code(402); return False", 402, ""),
            ("return 'instead'", 200, "instead"),
            ("return ''", 200, ""),
            ("return {'a': 1}", 200, '{"a":1}'),
            ("self.set_status_code(409); return 'instead'", 409, "instead"),
            ("self.redirect('/x')", 302, ""),
            ("return self.redirect('/x')", 302, ""),
            ("from guava.response import Response; return Response('r', status=410)", 410, "r"),
            ("from guava.response import HTTPError; raise HTTPError(451)", 451, None),
            ("1 / 0", 500, None),
        ],
    )
    def test_before_answers(
        self, serve: Callable, kind: str, verdict: str, status: int, text: str | None
    ) -> None:
        after = "def after_action(self):\n    self.set_header('X-After', 'yes')"
        client = serve(index=controller(f"{kind} before_action(self):\n    {verdict}", after))
        for path in ("/", "/index/later"):
            answer = client.ask(path)
            assert answer.status == status
            if text is not None:
                assert answer.text == text
            assert "X-After" not in answer.headers

    def test_after_sees_and_changes_the_answer(self, serve: Callable, kind: str) -> None:
        hook = (
            f"{kind} after_action(self):\n"
            "    self.set_header('X-Status', str(self.resp.status))\n"
            "    if isinstance(self.resp.body, str): self.resp.body = self.resp.body.upper()"
        )
        client = serve(index=controller(hook))
        answer = client.ask("/")
        assert (answer.text, answer.headers["X-Status"]) == ("PLAIN", "200")
        assert client.ask("/index/later").text == "ASYNC"
        answer = client.ask("/index/status")
        assert (answer.status, answer.text) == (203, "WITH STATUS")
        assert answer.headers["X-Status"] == "203"
        assert client.ask("/index/stream").text == "ab"

    def test_after_is_not_for_exceptions(self, serve: Callable, kind: str) -> None:
        client = serve(
            index=controller(f"{kind} after_action(self):\n    self.set_header('X-After', 'yes')")
        )
        answer = client.ask("/index/fails")
        assert answer.status == 500
        assert "X-After" not in answer.headers

    def test_a_mistake_in_after(self, serve: Callable, kind: str, caplog) -> None:
        client = serve(index=controller(f"{kind} after_action(self):\n    self.write('more')"))
        assert client.ask("/").status == 500
        assert "after_action cannot write()" in str(caplog.records[-1].exc_info[1])


def test_hooks_of_a_base_class_are_no_actions(serve: Callable) -> None:
    client = serve(index=controller("def before_action(self):\n    return True"))
    assert client.ask("/index/before_action").status == 404
    assert client.ask("/index/write/x").status == 404
    assert client.ask("/index/redirect/x").status == 404
