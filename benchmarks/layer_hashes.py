"""What recording layer hashes costs a training: with and without them, in turn, and what the recorder itself measures.

    python benchmarks/layer_hashes.py [--rounds 5] [--case digits]

`share` is the time that hashing took of the training's; `ratio` is the median of trainings with the record over those
without, with its quartiles, in CPU seconds of this process. `steps` is how many were hashed.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

CASES = {
    "digits": "data: {source: {sklearn: digits}}\nmodel: {mlp: {hidden: [128]}}\ntrain: {epochs: 60, batch_size: 64}",
    "deep": "data: {source: {sklearn: digits}}\nmodel: {mlp: {hidden: [32, 32, 32, 32, 32, 32, 32, 32]}}\n"
    "train: {epochs: 30, batch_size: 32}",
    "resnet": "data: {source: {sklearn: digits}}\nmodel: {resnet: {depth: 20}}\ntrain: {epochs: 2, batch_size: 128}",
}
RECIPE = """
name: hashes
task: classification
optimizer: {adam: {lr: 0.001}}
hardware: {accelerator: cpu, num_threads: 1}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--case", choices=CASES, action="append")
    asked = parser.parse_args()
    for name in asked.case or CASES:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            measure(name, asked.rounds)


def measure(name: str, rounds: int) -> None:
    import dlx
    from dlx.engine.training.fit import FaultTolerantFit
    from dlx.engine.training.layer_hashes import LayerHashRecorder

    Path("r.yaml").write_text(RECIPE + CASES[name])
    loaded = dlx.load("r.yaml", ["train.figures=false"])
    plan = dlx.plan.make(loaded)
    recorders: list[Any] = []

    def recorder(self: Any, plan: Any) -> list[LayerHashRecorder]:
        recorders.append(LayerHashRecorder(self.folder.parent))
        return recorders[-1:]

    kinds = {"with": recorder, "without": lambda self, plan: []}
    ratios, shares = [], []
    for number in range(rounds + 1):
        seconds = {}
        for kind, replacement in kinds.items():
            FaultTolerantFit._recorder = replacement  # type: ignore[method-assign]
            seconds[kind] = train(plan, loaded, f"{kind}-{number}")
        if number:  # the first round warms up
            ratios.append(seconds["with"][0] / seconds["without"][0])
            shares.append(recorders[-1].seconds / seconds["with"][1])
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    steps = len((Path(f"with-{rounds}") / "layer_hashes.jsonl").read_text().splitlines())
    share = f"share {100 * np.median(shares):.2f} %"
    counted = f"{steps} of {plan.length.steps:,} steps"
    print(f"{name:8} {share}   ratio {middle:.3f} ({low:.3f}–{high:.3f})   {counted}", flush=True)


def train(plan: Any, loaded: Any, folder: str) -> tuple[float, float]:
    """Train and return the CPU seconds of the run, and the seconds of its training."""
    from rich.console import Console

    from dlx.engine.runs.run import RunRequest, execute

    began = time.process_time()
    with Path(os.devnull).open("w") as nowhere:
        run = execute(RunRequest(plan, loaded, Path(folder), Console(file=nowhere), is_tracked=False))
    return time.process_time() - began, run.seconds


if __name__ == "__main__":
    main()
