"""Mutation testing: breaks dlx in many places, one at a time, and prints the breaks that no test notices.

    python tests/mutation/mutate.py --mutants 300 --seed 0 dlx/losses dlx/metrics

Tests that reach the broken function are run in a copy of the repository, the fastest first, until one fails or
`--seconds` are over. Which tests reach it is learned once from a run of the suite (`--learn tests/…` adds to it; kept
in .mutation/). Breaks that change nothing that can be seen stand in equivalent.yaml, each with its reason.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from mutants import Mutant, find_mutants

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".mutation"
COPY = KEPT / "copy"
REACH = KEPT / "reach.json"
DEFAULT = ("dlx/losses", "dlx/metrics", "dlx/tasks", "dlx/engine", "dlx/data")
IMPORTED_ONCE = ("torch", "torchmetrics.classification", "pytorch_lightning", "sklearn.metrics", "pandas", "pytest")
"""What is imported before a process is forked for each mutant: everything but dlx that takes long."""


def main() -> int:
    """Run what the command line asks for; 1 if fewer mutants are killed than it asks for."""
    arguments = _arguments()
    KEPT.mkdir(exist_ok=True)
    if arguments.learn:
        return _learn(arguments.learn)
    tests = json.loads(REACH.read_text()) if REACH.exists() else {}
    equivalent = {entry["mutant"] for entry in yaml.safe_load(Path(__file__).with_name("equivalent.yaml").read_text())}
    mutants = [m for m in _mutants(arguments.paths) if m.key not in equivalent]
    chosen = random.Random(arguments.seed).sample(mutants, min(arguments.mutants, len(mutants)))
    _copy()
    _leave_out_failing(tests, chosen, arguments.seconds)
    survived = [mutant for i, mutant in enumerate(chosen) if not _is_killed(mutant, tests, arguments, (i, len(chosen)))]
    killed = 1 - len(survived) / max(1, len(chosen))
    print(f"{len(chosen) - len(survived)} of {len(chosen)} mutants killed ({killed:.1%}); {len(survived)} survived:")
    for mutant in sorted(survived, key=lambda m: (m.path, m.begin)):
        print(f"  {mutant.path}:{mutant.begin[0]} in {mutant.function or 'the module'}")
        print(f"      {mutant.before}\n    → {mutant.after}")
    return int(killed < arguments.at_least)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", default=DEFAULT, help="files and folders to break")
    parser.add_argument("--mutants", type=int, default=300, help="how many breaks are tried")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    parser.add_argument("--seconds", type=float, default=60, help="of tests for each of them, at most")
    parser.add_argument("--at-least", type=float, default=0.95, help="the fraction that must be killed")
    parser.add_argument("--learn", nargs="+", metavar="TESTS", help="learn which functions these tests reach")
    return parser.parse_args()


def _learn(paths: Sequence[str]) -> int:
    """Run tests once and write down what they reach."""
    folders = os.pathsep.join([str(Path(__file__).parent), str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": folders, "DLX_REACH": str(REACH)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "reach", "-p", "no:cacheprovider", "-m", "not slow", *paths]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def _mutants(paths: Sequence[str]) -> list[Mutant]:
    files = [ROOT / path for path in paths if path.endswith(".py")]
    files += [file for path in paths if not path.endswith(".py") for file in sorted((ROOT / path).rglob("*.py"))]
    return [m for f in files for m in find_mutants(f.relative_to(ROOT).as_posix(), f.read_text(encoding="utf-8"))]


def _copy() -> None:
    """Copy what tests need, so that the working tree is never broken."""
    shutil.rmtree(COPY, ignore_errors=True)
    for name in ("dlx", "tests", "recipes", "docs", "benchmarks"):
        shutil.copytree(ROOT / name, COPY / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ROOT.glob("*.*"):
        if file.is_file():
            shutil.copy(file, COPY / file.name)


def _is_killed(mutant: Mutant, tests: dict[str, Any], arguments: argparse.Namespace, place: tuple[int, int]) -> bool:
    """Say whether a test fails on a mutant, or does not come to an end."""
    file = COPY / mutant.path
    text = file.read_text(encoding="utf-8")
    began = time.monotonic()
    try:
        file.write_text(mutant.apply(text), encoding="utf-8")
        chosen = choose_tests(mutant, tests, arguments.seconds)
        code = _run(chosen, 30 + 5 * arguments.seconds) if chosen else 0
    finally:
        file.write_text(text, encoding="utf-8")
    seconds = time.monotonic() - began
    said = "killed" if code else "SURVIVED" if chosen else "UNREACHED"
    print(f"{place[0] + 1}/{place[1]} {said} {seconds:.1f} s, {len(chosen)} tests: {mutant.key}", flush=True)
    return code != 0


def choose_tests(mutant: Mutant, tests: dict[str, Any], seconds: float) -> list[str]:
    """Return the tests that reach the broken function, the fastest first.

    What is in no function, such as a field's default, is reached by tests of its file and of its family's page.
    """
    place = f"{mutant.path}:{mutant.function}"
    reaching = [n for n, t in tests.items() if place in t["functions"]]
    if not reaching:
        page = f"[{mutant.path.split('/')[1]}.md]"
        file = f"{mutant.path}:"
        reaching = [n for n, t in tests.items() if n.endswith(page) or any(f.startswith(file) for f in t["functions"])]
    chosen, total = [], 0.0
    for name in sorted(reaching, key=lambda n: tests[n]["seconds"]):
        total += tests[name]["seconds"]
        if chosen and total > seconds:
            break
        chosen.append(name)
    return chosen


class Failures:
    """A pytest plugin that writes down which tests fail."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Write a failed test's name."""
        if report.failed:
            with self.path.open("a") as file:
                file.write(f"{report.nodeid}\n")


def _leave_out_failing(tests: dict[str, Any], mutants: Sequence[Mutant], seconds: float) -> None:
    """Forget the tests that fail on the copy as it is: they would kill every mutant."""
    names = {name for mutant in mutants for name in choose_tests(mutant, tests, seconds)}
    failures = KEPT / "failures.txt"
    failures.write_text("")
    _run(sorted(names), 3600, Failures(failures))
    for name in failures.read_text().splitlines():
        print(f"left out, since it fails without a mutant: {name}")
        tests.pop(name, None)


def _run(names: Sequence[str], seconds: float, recorder: Failures | None = None) -> int:
    """Run tests in a child that has torch already, up to the first failure; 1 if it is stopped.

    With a recorder all tests are run.
    """
    for module in IMPORTED_ONCE:
        __import__(module)
    child = os.fork()
    if not child:
        os.setpgrp()
        os._exit(_run_here(names, recorder))
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return 1


def _run_here(names: Sequence[str], recorder: Failures | None) -> int:
    """Run tests of the copy, silently."""
    import pytest

    os.chdir(COPY)
    sys.dont_write_bytecode = True
    sys.path[:] = [str(COPY), *(p for p in sys.path if Path(p) not in (ROOT, Path(__file__).parent))]
    os.environ["PYTHONPATH"] = str(COPY)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    options = ["-q", "-p", "no:cacheprovider", "--tb=no", *([] if recorder else ["-x"])]
    return int(pytest.main([*options, *names], plugins=[recorder] if recorder else []))


if __name__ == "__main__":
    sys.exit(main())
