"""Tests run on a mutant, in a forked process: one that has read dlx and all tests, or one that reads them anew.

A mutant inside a function is made by giving the function another code object; nothing is written, and nothing has to be
imported. What stands in no function, such as a field's default, needs dlx to be read with the mutant in it.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest
from mutants import Mutant

ROOT = Path(__file__).parents[2]
IMPORTED_ONCE = ("torch", "torchmetrics.classification", "pytorch_lightning", "sklearn.metrics", "pandas")
"""What is imported before a process is forked: everything but dlx that takes long."""
OPTIONS = ["-q", "-p", "no:cacheprovider", "--tb=no", "-m", "not slow"]
session: Any = None


class Server:
    """A pytest run that has collected all tests of some files, and then does something else than to run them all.

    paths  files of dlx that are read before, since many are only read when they are needed
    """

    def __init__(self, files: Collection[str], paths: Collection[str], work: Callable[[], object]) -> None:
        self.files, self.paths, self.work = sorted(files), sorted(paths), work

    def serve(self) -> None:
        """Collect, and do the work."""
        if self.files:
            pytest.main([*OPTIONS, *self.files], plugins=[self])

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Do the work instead of running all tests."""
        globals()["session"] = session
        for path in self.paths:
            importlib.import_module(path.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
        self.work()
        return True


def run_forked(mutant: Mutant, names: Sequence[str], seconds: float) -> int:
    """Run tests that are collected on a mutant, up to the first that fails; 1 if one does, or they do not end."""

    def run() -> int:
        if not put_in_place(mutant):
            return 0  # as good as survived, so that it is looked at
        wanted = set(names)
        items = [item for item in session.items if item.nodeid in wanted]
        items.sort(key=lambda item: names.index(item.nodeid))
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                return 1
        return 0

    return _fork(run, seconds)


def run_fresh(mutant: Mutant | None, names: Sequence[str], seconds: float, failures: Path | None = None) -> int:
    """Run tests in a process that reads dlx with a mutant; with a file for the names of failures, all are run."""
    for module in IMPORTED_ONCE:
        __import__(module)

    def run() -> int:
        if mutant is not None:
            sys.meta_path.insert(0, MutantFinder(mutant))
        recorder = [] if failures is None else [Failures(failures)]
        return int(pytest.main([*OPTIONS, *([] if failures else ["-x"]), *names], plugins=recorder))

    return _fork(run, seconds)


class Failures:
    """A pytest plugin that writes down which tests fail."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Write a failed test's name."""
        if report.failed:
            with self.path.open("a") as file:
                file.write(f"{report.nodeid}\n")


class MutantFinder(MetaPathFinder):
    """Finds the module of a mutant, with the mutant in it."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where the module is, and its loader."""
        spec = PathFinder.find_spec(fullname, path) if fullname.partition(".")[0] == "dlx" else None
        if spec is None or spec.origin != str(ROOT / self.mutant.path):
            return None
        spec.loader = MutantLoader(fullname, spec.origin, self.mutant)
        return spec


class MutantLoader(SourceFileLoader):
    """Compiles a file with a mutant in it."""

    def __init__(self, fullname: str, path: str, mutant: Mutant) -> None:
        super().__init__(fullname, path)
        self.mutant = mutant

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of the module, never that of a cache."""
        path = self.get_filename(fullname)
        text = self.get_data(path).decode()
        return compile(self.mutant.apply(text), path, "exec", dont_inherit=True)


def put_in_place(mutant: Mutant) -> bool:
    """Give the function of a mutant the code with the mutant; say whether there is such a function."""
    path = str(ROOT / mutant.path)
    name = mutant.outer_function
    whole = compile(mutant.apply(Path(path).read_text(encoding="utf-8")), path, "exec", dont_inherit=True)
    is_broken = False
    broken = [code for code in _codes_inside(whole) if code.co_qualname == name]
    for held in gc.get_objects():
        if isinstance(held, FunctionType) and held.__code__.co_filename == path and held.__code__.co_qualname == name:
            same = [c for c in broken if c.co_firstlineno == held.__code__.co_firstlineno] or broken
            with suppress(ValueError):  # raised where a name around the function is no longer read
                held.__code__, is_broken = same[0], True
    return is_broken


def _codes_inside(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes_inside(constant)


def _fork(run: Callable[[], int], seconds: float) -> int:
    """Return what a function returns in a child that is silent; 1 if it does not come to an end."""
    child = os.fork()
    if not child:
        os.setpgrp()
        code = 1
        try:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 1)
            os.dup2(nothing, 2)
            code = run()
        finally:
            os._exit(code)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return 1
