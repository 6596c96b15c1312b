"""Which tests reach which functions of dlx: a pytest plugin that writes it down as JSON.

python -m pytest -p reach tests/losses   (with tests/mutation in PYTHONPATH, and the file's name in DLX_REACH)

Every function of dlx is compiled with a first statement that notes its name, so that what is watched is hardly slower.
"""

from __future__ import annotations

import ast
import builtins
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest

ROOT = str(Path(__file__).parents[2]) + os.sep
NOTE = "_note_reached"
SAVE_SECONDS = 20  # between two savings of what is known
reached: set[str] = set()
found: dict[str, dict[str, Any]] = {}
last_saved = time.monotonic()
setattr(builtins, NOTE, reached.add)


class NotingLoader(SourceFileLoader):
    """Compiles a file of dlx so that each of its functions notes that it was called."""

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of the module, never that of a cache."""
        path = self.get_filename(fullname)
        tree = ast.parse(self.get_data(path), path)
        _note_calls(tree, path.removeprefix(ROOT), ())
        return compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)


class NotingFinder(MetaPathFinder):
    """Finds the modules of dlx."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module is, with a loader that notes calls."""
        spec = PathFinder.find_spec(fullname, path) if fullname.partition(".")[0] == "dlx" else None
        if spec is not None and spec.origin is not None and spec.origin.startswith(ROOT):
            spec.loader = NotingLoader(fullname, spec.origin)
        return spec


def _note_calls(node: ast.AST, path: str, scope: tuple[str, ...]) -> None:
    for child in ast.iter_child_nodes(node):
        named = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        inner = (*scope, child.name) if named else scope  # type: ignore[attr-defined]
        _note_calls(child, path, inner)
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            note = ast.parse(f"{NOTE}({f'{path}:' + '.'.join(inner)!r})").body[0]
            has_docs = ast.get_docstring(child, clean=False) is not None
            child.body.insert(int(has_docs), ast.copy_location(note, child.body[0]))


sys.meta_path.insert(0, NotingFinder())


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Watch one test, with its fixtures; seconds are those of the CPU, also of finished child processes."""
    reached.clear()
    began = sum(os.times()[:4])
    yield
    found[item.nodeid] = {"seconds": round(sum(os.times()[:4]) - began, 2), "functions": sorted(reached)}
    if time.monotonic() - last_saved > SAVE_SECONDS:
        _save()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Save what was found last."""
    _save()


def _save() -> None:
    """Add what was found to what is known of other tests."""
    global last_saved
    path = Path(os.environ["DLX_REACH"])
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**known, **found}))
    last_saved = time.monotonic()
