"""What goes out: `Response`, bodies from files, and errors that are answers."""

from collections.abc import Mapping

from guava_http import FileBody, FileResponse, Response

__all__ = ["FileBody", "FileResponse", "HTTPError", "Response"]


class HTTPError(Exception):
    """Raise it anywhere below an action to answer with an error page.

        raise HTTPError(404, "There is no such post.")

    It is an answer, not an accident: it is not logged. Sessions are not saved, and the
    controller's `after_action` does not run.

    Args:
        status: 400 to 599.
        text: one sentence for the visitor, as plain text; the page escapes it.
        headers: further fields of the answer, such as ``WWW-Authenticate``.

    Raises:
        ValueError: status is no error.
    """

    def __init__(
        self, status: int, text: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        if not 400 <= status <= 599:
            raise ValueError(f"an error has a status from 400 to 599, not {status!r}")
        super().__init__(status, text)
        self.status = status
        self.text = text
        self.headers = dict(headers or {})
