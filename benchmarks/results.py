"""Figures of benchmarks as JSON, and whether they became worse than the stored ones.

    python benchmarks/results.py measured.json benchmarks/baseline.json

A script that is run with DLX_BENCH_JSON=PATH adds its figures to that file: `script/case` with the median ratio to its
reference and the quartiles of all rounds. A ratio is worse where its lower quartile is above the stored upper one, and
its median by more than 5 % above the stored median; then the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

TOLERANCE = 1.05


def record(case: str, ratios: Sequence[float]) -> None:
    """Add the ratios of all rounds of a case to the file that DLX_BENCH_JSON names, if it names one."""
    target = os.environ.get("DLX_BENCH_JSON")
    if not target:
        return
    path = Path(target)
    found = json.loads(path.read_text()) if path.exists() else {}
    low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else (*ratios, *ratios, *ratios)
    name = f"{Path(sys.argv[0]).stem}/{case}"
    found[name] = {"ratio": round(middle, 3), "low": round(low, 3), "high": round(high, 3)}
    path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


def is_worse(measured: dict[str, float], stored: dict[str, float]) -> bool:
    """Return whether a case became slower by more than rounds differ among themselves."""
    return measured["low"] > stored["high"] and measured["ratio"] > TOLERANCE * stored["ratio"]


def main() -> int:
    """Print every case beside its stored figures; return 1 if one is worse."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("measured", type=Path)
    parser.add_argument("stored", type=Path)
    options = parser.parse_args()
    measured, stored = (json.loads(path.read_text()) for path in (options.measured, options.stored))
    worse = {name for name in measured.keys() & stored.keys() if is_worse(measured[name], stored[name])}
    for name in sorted(measured):
        now, then = measured[name], stored.get(name)
        before = "not stored" if then is None else f"{then['ratio']:.3f} ({then['low']:.3f}–{then['high']:.3f})"
        verdict = "  WORSE" if name in worse else ""
        print(f"{name:32} {now['ratio']:.3f} ({now['low']:.3f}–{now['high']:.3f})   stored {before}{verdict}")
    print(f"{len(worse)} of {len(measured)} are worse than {options.stored}", file=sys.stderr)
    return int(bool(worse))


if __name__ == "__main__":
    sys.exit(main())
