"""Modules of controllers: finding and importing them.

A package is imported with everything public in it. "." is no package but the program's own folder:
there only files that have a class by the convention are imported, which is read from their source,
so that a setup.py or a second copy of the running program is never executed.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import pkgutil
import sys
import traceback
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from .errors import ControllerImportError, HandlerNotFound, RouteConflict, RouteError


def controller_name(module: str) -> str:
    """The class that a module is searched for: blog_post -> BlogPostController."""
    return "".join(word[:1].upper() + word[1:] for word in module.split("_")) + "Controller"


def is_public(name: str) -> bool:
    """Whether a URL may name this module."""
    return name.isidentifier() and not name.startswith("_")


def program_folders() -> list[Path]:
    """Where "." is searched: the folder of the program, then the current directory."""
    first = Path(sys.path[0] if sys.path else "").absolute()
    here = Path.cwd()
    return [folder for folder in dict.fromkeys((first, here)) if folder.is_dir()]


# ---- importing --------------------------------------------------------------------------------


def _failed(name: str, file: str | None, error: Exception) -> ControllerImportError:
    machinery = ("<frozen", importlib.__file__, __file__)
    trace = traceback.extract_tb(error.__traceback__)
    frames = [frame for frame in trace if not frame.filename.startswith(machinery)]
    at = f" (at {frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    what = f"{name} ({file})" if file else name
    return ControllerImportError(f"{what} failed to import: {type(error).__name__}: {error}{at}")


def _execute(spec: ModuleSpec) -> ModuleType:
    """Imports from a place that need not be on sys.path."""
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(spec.name, None)
        raise
    return module


def _import(name: str, file: str | None = None) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise _failed(name, file, error) from error


def load_package(name: str) -> ModuleType:
    """A package by its dotted name, from sys.path or else the current directory.

    Raises RouteError for what is no package's name or no package, ControllerImportError if it is
    not there or fails.
    """
    if not all(part.isidentifier() for part in name.split(".")):
        raise RouteError(f"a package is '.' or a dotted name such as 'controllers', not {name!r}")
    top = name.partition(".")[0]
    if top not in sys.modules and importlib.util.find_spec(top) is None:
        spec = PathFinder.find_spec(top, [str(Path.cwd())])
        if spec is None or spec.loader is None:
            searched = ", ".join(str(folder) for folder in program_folders())
            raise ControllerImportError(
                f"there is no package {name!r} (searched: sys.path, {searched})"
            )
        try:
            _execute(spec)
        except Exception as error:
            raise _failed(top, spec.origin, error) from error
    package = _import(name)
    if not hasattr(package, "__path__"):
        raise RouteError(f"{name} ({package.__file__}) is a module, not a package of controllers")
    return package


def public_modules(package: ModuleType) -> Iterator[tuple[str, ModuleType]]:
    """The package's own modules and packages, imported, by name.

    Raises ControllerImportError; RouteConflict if a package hides a module of the same name.
    """
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        if not is_public(info.name):
            continue
        folder = getattr(info.module_finder, "path", "")
        file = os.path.join(folder, info.name + (os.sep + "__init__.py" if info.ispkg else ".py"))
        if info.ispkg and os.path.exists(os.path.join(folder, info.name + ".py")):
            raise RouteConflict(
                f"{file} hides {os.path.join(folder, info.name)}.py: "
                f"move what is in the module into the package"
            )
        yield info.name, _import(f"{package.__name__}.{info.name}", file)


# ---- the program's own folder -------------------------------------------------------------------


def _defines(file: Path, name: str) -> bool:
    """Whether a source file has a class of this name at its top level."""
    try:
        source = file.read_bytes()
        if name.encode() not in source:
            return False
        tree = ast.parse(source, str(file))
    except (OSError, SyntaxError, ValueError):
        return False
    return any(isinstance(node, ast.ClassDef) and node.name == name for node in tree.body)


def _is_file_of(module: ModuleType | None, file: Path) -> bool:
    theirs = getattr(module, "__file__", None)
    return theirs is not None and os.path.exists(theirs) and os.path.samefile(theirs, file)


def load_file(name: str, file: Path) -> ModuleType:
    """A top-level module from its file; the running program itself is not executed again.

    Raises RouteError if another module has this name, ControllerImportError if it fails.
    """
    main = sys.modules.get("__main__")
    if main is not None and _is_file_of(main, file):
        return main
    loaded = sys.modules.get(name)
    if loaded is not None:
        if _is_file_of(loaded, file):
            return loaded
        raise RouteError(
            f"{file} cannot be imported as {name}: that is "
            f"{getattr(loaded, '__file__', None) or 'a built-in module'} already; rename it"
        )
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    try:
        return _execute(spec)
    except Exception as error:
        raise _failed(name, str(file), error) from error


def controller_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """The modules of a folder that have a class by the convention, not yet imported."""
    for file in sorted(folder.glob("*.py")):
        if is_public(file.stem) and _defines(file, controller_name(file.stem)):
            yield file.stem, file


def load(package: str, name: str) -> ModuleType:
    """A module that a Handler names.

    Raises HandlerNotFound if it is not there, ControllerImportError if it fails.
    """
    if package != ".":
        parent = load_package(package)
        full = f"{package}.{name}"
        if full not in sys.modules and importlib.util.find_spec(full) is None:
            raise HandlerNotFound(f"{package} ({list(parent.__path__)}) has no module {name}")
        return _import(full)
    for folder in program_folders():
        file = folder / f"{name}.py"
        if is_public(name) and file.is_file():
            return load_file(name, file)
    searched = ", ".join(str(folder) for folder in program_folders())
    raise HandlerNotFound(f"there is no {name}.py in {searched}")
