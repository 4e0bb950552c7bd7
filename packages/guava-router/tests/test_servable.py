"""The policies of a StaticRouter: device names, and the longest paths."""

from pathlib import Path

import pytest
from guava_router import Listing, StaticHandler, StaticRouter

DEVICES = [
    "con", "CON", "Con.txt", "prn", "aux.js", "AUX.min.js", "nul", "NUL.", "nul .txt", "com1",
    "com0", "COM9.tar.gz", "lpt1", "lpt9.html", "com\u00b9", "lpt\u00b3.css", "conin$",
    "CONOUT$.x", "nul:stream",
]  # fmt: skip
PLAIN = ["console.js", "auxiliary.js", "null", "com", "com10", "lpt", "xcon", "con-1.js", "nul_"]


@pytest.mark.parametrize("name", DEVICES)
def test_device_names(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / name).mkdir()
    (tmp_path / "sub" / name / "file").write_text("x")
    router = StaticRouter("/", tmp_path, True)
    for path in (f"/{name}", f"/sub/{name}", f"/sub/{name}/", f"/sub/{name}/file"):
        assert router.resolve(path) is None, path
    listing = router.resolve("/")
    assert isinstance(listing, Listing)
    assert [entry.name for entry in listing.entries] == ["sub"]
    allowed = StaticRouter("/", tmp_path, True, allow_device_names=True)
    for path in (f"/{name}", f"/sub/{name}/file"):
        assert isinstance(allowed.resolve(path), StaticHandler), path


@pytest.mark.parametrize("name", PLAIN)
def test_names_that_are_like_devices(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    assert isinstance(StaticRouter("/", tmp_path).resolve("/" + name), StaticHandler)


def test_the_longest_path(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(8):
        folder = folder / ("d" * 255)
    folder.mkdir(parents=True)
    (folder / ("f" * 255)).write_text("deep")
    path = ("/" + "d" * 255) * 8 + "/" + "f" * 255
    router = StaticRouter("/", tmp_path)
    assert isinstance(router.resolve(path), StaticHandler)
    for longer in (path + "f", "/" + "d" * 256, "/d" * 2049, "/" + "\u00e4" * 128):
        assert router.resolve(longer) is None
