"""How long commands take to begin: `--help` and `validate` against the import of what they cannot do without.

    python benchmarks/startup.py [--rounds 7]

Each is a process of its own, in turn with the reference; CPU seconds of the process, the median of several rounds.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

REFERENCE = [sys.executable, "-c", "import typer, rich, pydantic, yaml"]
RECIPE = Path(__file__).parents[1] / "recipes" / "quickstart.yaml"
COMMANDS = {
    "--help": ([sys.executable, "-m", "dlx", "--help"], 2.0),
    "validate": ([sys.executable, "-m", "dlx", "validate", str(RECIPE)], 3.5),
    "plan": ([sys.executable, "-m", "dlx", "plan", str(RECIPE)], None),
}


def main() -> None:
    """Print the ratio of every command to the reference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    for name, (command, goal) in COMMANDS.items():
        seconds(command)  # bytecode and facts are cached by the first
        ratios, own = [], []
        for _ in range(rounds):
            reference, taken = seconds(REFERENCE), seconds(command)
            own.append(taken)
            ratios.append(taken / reference)
        wanted = f"   goal ≤ {goal}" if goal else ""
        print(f"{name:9} {statistics.median(own):.3f} s   {statistics.median(ratios):.2f} × the imports{wanted}")


def seconds(command: list[str]) -> float:
    """Return the CPU seconds of a process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
