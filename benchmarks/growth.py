"""How the time of a step grows: with the data set, with the points that were logged, with epochs, parameters and batch.

    python benchmarks/growth.py [--rounds 3]

Each line is the slope of log2(CPU seconds a step) over doublings: 0 is flat, 1 is proportional. One thread; the
process's own CPU time, so that other work on the machine matters less; the smallest of several rounds.
"""

from __future__ import annotations

import argparse
import io
import math
import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

BASE: dict[str, Any] = {
    "name": "growth",
    "task": "classification",
    "data": {"source": {"type": "blobs", "samples": 2000}, "split": {"val": 0.1, "test": 0.1}},
    "model": {"mlp": {"hidden": [64]}},
    "optimizer": {"adam": {"lr": 0.001}},
    "train": {"steps": 600, "batch_size": 64},
    "hardware": {"accelerator": "cpu", "threads": 1},
}


def main() -> None:
    """Print the slope of every kind of growth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    os.environ["MPLBACKEND"] = "agg"
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        sizes = [2000 * 2**i for i in range(5)]
        data = [seconds({"data.source.samples": n, "train.validate_every": 1000}, rounds) for n in sizes]
        show("time a step over data-set size", sizes, data)
        points = halves({"train.steps": 4000, "train.log_every": 1, "train.validate_every": 1000})
        print(f"time a step, last half of 4,000 logged points over the first: {points:.3f}")
        epochs = halves({"train.steps": None, "train.epochs": 120})
        print(f"time an epoch, last half of 120 epochs over the first: {epochs:.3f}")
        widths = [512, 1024, 2048, 4096]
        wide = [seconds({"model.mlp.hidden": [w, 512], "train.steps": 40}, rounds) for w in widths]
        show("time a step over parameters", widths, wide)
        batches = [256, 512, 1024]
        large = [
            seconds({"model.mlp.hidden": [1024, 512], "train.steps": 40, "train.batch_size": b}, rounds)
            for b in batches
        ]
        show("time a step over batch size", batches, large)
        print(f"peak memory of all of it: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")


def trained(changes: dict[str, Any]) -> Any:
    """Train with changes; return the run."""
    import yaml
    from rich.console import Console

    import dlx
    from dlx.engine import callbacks

    callbacks.clock = time.process_time  # type: ignore[attr-defined]
    Path("r.yaml").write_text(yaml.safe_dump(BASE))
    return dlx.train("r.yaml", changes, console=Console(file=io.StringIO()))


def seconds(changes: dict[str, Any], rounds: int) -> float:
    """Return the CPU seconds of a step."""
    steps = changes.get("train.steps", BASE["train"]["steps"])
    return min(trained(changes).seconds for _ in range(rounds)) / float(steps)


def halves(changes: dict[str, Any]) -> float:
    """Return the CPU time of the second half of a training over that of the first."""
    from dlx.engine.callbacks import History

    marks: list[tuple[int, float]] = []
    original = History.on_train_batch_end

    def marked(self: Any, trainer: Any, *rest: Any) -> None:
        marks.append((trainer.global_step, time.process_time()))
        original(self, trainer, *rest)

    History.on_train_batch_end = marked  # type: ignore[method-assign]
    try:
        trained(changes)
    finally:
        History.on_train_batch_end = original  # type: ignore[method-assign]
    steps, times = np.array(marks).T
    quarter, middle, end = (np.interp(share * steps[-1], steps, times) for share in (0.1, 0.55, 1.0))
    return float((end - middle) / (middle - quarter))


def show(what: str, sizes: list[int], values: list[float]) -> None:
    """Print the slope in a doubling, and the values."""
    slope = np.polyfit(np.log2(sizes), np.log2(values), 1)[0]
    print(
        f"{what}: slope {slope:+.3f}   "
        + ", ".join(f"{s:,}: {1e3 * v:.3f} ms" for s, v in zip(sizes, values, strict=True))
    )
    assert math.isfinite(slope)


if __name__ == "__main__":
    main()
