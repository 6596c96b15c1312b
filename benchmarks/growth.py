"""How a training grows: with the data set, with the points that were logged, with epochs, parameters and batch.

    python benchmarks/growth.py [--rounds 3] [--points 100000]

A slope is that of log2(cost) over doublings: 0 is flat, 1 is proportional. Time is the CPU time of the process with one
thread, so that other work on the machine matters less, and the smallest of several rounds; memory is by how much the
process grew at most.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from paired import grown

SCRIPT = Path(__file__).resolve()
UNITS = {"ms": 1e-3, "MiB": 2**20}
BASE: dict[str, Any] = {
    "name": "growth",
    "task": "classification",
    "data": {"source": {"type": "blobs", "n_samples": 2000}, "split": {"val": 200, "test": 200}},
    "model": {"mlp": {"hidden": [64]}},
    "optimizer": {"adam": {"lr": 0.001}},
    "train": {"steps": 600, "batch_size": 64},
    "hardware": {"accelerator": "cpu", "num_threads": 1},
}


def main() -> None:
    """Print the slope of every kind of growth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--memory", type=json.loads, help="print by how many bytes one training grows, and no more")
    options = parser.parse_args()
    rounds = options.rounds
    os.environ["MPLBACKEND"] = "agg"
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        if options.memory:
            print(grown(lambda: trained(options.memory))[0])
            return
        trained({"train.steps": 100})  # imports, and whatever else is done once
        sizes = [2000 * 2**i for i in range(5)]
        data = [seconds({"data.source.n_samples": n, "train.val_every_n_epochs": 1000}, rounds) for n in sizes]
        show("time a step over data-set size", sizes, data, "ms")
        widths = [1024, 2048, 4096]
        wide = [{"model.mlp.hidden": [w, 512], "train.steps": 40} for w in widths]
        show("time a step over parameters", widths, [seconds(c, rounds) for c in wide], "ms")
        show("memory over parameters", widths, [memory(c) for c in wide], "MiB")
        batches = [512, 1024, 2048]
        large = [
            {"model.mlp.hidden": [2048] * 6, "train.steps": 10, "train.batch_size": b, "data.source.n_samples": 3000}
            for b in batches
        ]
        show("time a step over batch size", batches, [seconds(c, rounds) for c in large], "ms")
        show("memory over batch size", batches, [memory(c) for c in large], "MiB")
        epochs = halves({"train.steps": None, "train.epochs": 120})
        print(f"time an epoch, last half of 120 epochs over the first: {epochs:.3f}", flush=True)
        n = options.points
        points = halves({"train.steps": n, "train.log_every_n_steps": 1, "train.val_every_n_epochs": 1000})
        print(f"time a step, last half of {n:,} logged points over the first: {points:.3f}")


def trained(changes: dict[str, Any]) -> Any:
    """Train with changes; return the run."""
    import yaml
    from rich.console import Console

    import dlx
    from dlx.engine.training import callbacks

    callbacks.clock = time.process_time  # type: ignore[attr-defined]
    Path("r.yaml").write_text(yaml.safe_dump(BASE))
    return dlx.train("r.yaml", changes, console=Console(file=io.StringIO()))


def seconds(changes: dict[str, Any], rounds: int) -> float:
    """Return the CPU seconds of a step."""
    steps = changes.get("train.steps", BASE["train"]["steps"])
    return min(trained(changes).seconds for _ in range(rounds)) / float(steps)


def halves(changes: dict[str, Any]) -> float:
    """Return the CPU time of the second half of a training over that of the first."""
    from dlx.engine.training.callbacks import History

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


def memory(changes: dict[str, Any]) -> float:
    """Return the bytes by which a process of its own grew at most."""
    command = [sys.executable, str(SCRIPT), "--memory", json.dumps(changes)]
    return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()[-1])


def show(what: str, sizes: list[int], values: list[float], unit: str) -> None:
    """Print the slope in a doubling, and the values."""
    slope = np.polyfit(np.log2(sizes), np.log2(values), 1)[0]
    shown = ", ".join(f"{size:,}: {value / UNITS[unit]:.3f} {unit}" for size, value in zip(sizes, values, strict=True))
    print(f"{what}: slope {slope:+.3f}   {shown}", flush=True)


if __name__ == "__main__":
    main()
