"""Mutation testing: breaks dlx in many places, one at a time, and prints the breaks that no test notices.

    python tests/mutation/mutate.py --mutants 300 --seed 0 dlx/losses dlx/metrics

Tests that reach the broken function are run, the fastest first, until one fails or `--seconds` of them are over. Which
tests reach it is learned once from a run of the suite (`--learn tests/…` adds to it; kept in .mutation/). Breaks that
change nothing that can be seen stand in equivalent.yaml, each with its reason.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from forks import Server, run_forked, run_fresh
from mutants import Mutant, find_mutants

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".mutation"
REACH = KEPT / "reach.json"
DEFAULT = ("dlx/losses", "dlx/metrics", "dlx/tasks", "dlx/engine", "dlx/data")


def main() -> int:
    """Run what the command line asks for; 1 if fewer mutants are killed than it asks for."""
    arguments = _arguments()
    KEPT.mkdir(exist_ok=True)
    if arguments.learn:
        return _learn(arguments.learn)
    tests = json.loads(REACH.read_text()) if REACH.exists() else {}
    equivalent = {entry["mutant"] for entry in yaml.safe_load(Path(__file__).with_name("equivalent.yaml").read_text())}
    mutants = [m for m in _mutants(arguments.paths) if m.key not in equivalent]
    known = [m for m in mutants if (m.is_in_function or not arguments.functions) and choose_tests(m, tests, 0)]
    print(f"{len(known)} of {len(mutants)} mutants are in functions that a known test reaches", flush=True)
    chosen = random.Random(arguments.seed).sample(known, min(arguments.mutants, len(known)))
    survived = _survivors(chosen, tests, arguments.seconds)
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
    parser.add_argument("--seconds", type=float, default=30, help="of tests for each of them, at most")
    parser.add_argument("--at-least", type=float, default=0.95, help="the fraction that must be killed")
    parser.add_argument("--functions", action="store_true", help="only inside functions, which takes a second each")
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


def choose_tests(mutant: Mutant, tests: dict[str, Any], seconds: float) -> list[str]:
    """Return the tests that reach the broken function, the fastest first.

    What is in no function, such as a field's default, is reached by tests of its file.
    """
    place = f"{mutant.path}:{mutant.function}"
    reaching = [n for n, t in tests.items() if place in t["functions"]]
    if not reaching:
        reaching = [n for n, t in tests.items() if any(f.startswith(f"{mutant.path}:") for f in t["functions"])]
    chosen, total = [], 0.0
    for name in sorted(reaching, key=lambda n: tests[n]["seconds"]):
        total += tests[name]["seconds"]
        if chosen and total > seconds:
            break
        chosen.append(name)
    return chosen


def _survivors(mutants: Sequence[Mutant], tests: dict[str, Any], seconds: float) -> list[Mutant]:
    """Return the mutants on which all tests pass. Those of functions are made in a process that has dlx already."""
    failing = _leave_out_failing(tests, mutants, seconds)
    for name in failing:
        print(f"left out, since it fails without a mutant: {name}", flush=True)
        tests.pop(name, None)
    survived: list[Mutant] = []

    def judge(mutant: Mutant, run: Any) -> None:
        chosen = choose_tests(mutant, tests, seconds)
        code = run(mutant, chosen, 30 + 20 * seconds) if chosen else 0
        survived.extend([] if code else [mutant])
        print(f"{'killed' if code else 'SURVIVED'} ({len(chosen)} tests) {mutant.key}", flush=True)

    fresh = [m for m in mutants if not m.is_in_function]
    for mutant in fresh:
        judge(mutant, run_fresh)
    rest = [m for m in mutants if m.is_in_function]
    files = {name.partition("::")[0] for m in rest for name in choose_tests(m, tests, seconds)}
    Server(files, {m.path for m in rest}, lambda: [judge(mutant, run_forked) for mutant in rest]).serve()
    return survived


def _leave_out_failing(tests: dict[str, Any], mutants: Sequence[Mutant], seconds: float) -> list[str]:
    """Return the tests that fail as dlx is: they would kill every mutant."""
    names = sorted({name for mutant in mutants for name in choose_tests(mutant, tests, seconds)})
    failures = KEPT / "failures.txt"
    failures.write_text("")
    run_fresh(None, names, 7200, failures)
    return failures.read_text().splitlines()


if __name__ == "__main__":
    sys.exit(main())
