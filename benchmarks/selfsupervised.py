"""What MoCo's queue and its copy of the encoder cost: steps with and without keeping keys and moving the copy.

    python benchmarks/selfsupervised.py [--pairs 15] [--case mnist] [--cpu]

Both train the same network in one process with one thread, in turn, in blocks of steps; a ratio is that of one block
with to the next without, and what is printed is the median with its quartiles. 1.03 would mean that it costs 3 % of a
step. `null` is one block without against the next without: how far two measurements of the same thing are apart here.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from results import record

CASES = {
    "mnist": (
        20,
        """
task: {type: moco, queue_size: 4096, projection_dim: 64, evaluate: {linear_probe: false}}
data: {source: mnist}
model:
  type: layers
  layers:
    - conv: {channels: 16, kernel: 5, stride: 2, padding: same}
    - batch_norm
    - relu
    - conv: {channels: 32, kernel: 3, stride: 2, padding: same}
    - batch_norm
    - relu
    - conv: {channels: 64, kernel: 3, stride: 2, padding: same}
    - batch_norm
    - relu
train: {batch_size: 256, limit_train_samples: 2560, limit_val_samples: 10, steps: STEPS}
""",
    ),
    "resnet18": (
        2,
        """
task: {type: moco, queue_size: 4096, projection_dim: 128, evaluate: {linear_probe: false}}
data: {source: {shapes: {n_samples: 200, image_size: 64}}}
model: {resnet: {depth: 18}}
train: {batch_size: 64, limit_train_samples: 128, limit_val_samples: 10, steps: STEPS}
""",
    ),
}
SHARED = """
name: selfsupervised
optimizer: {adamw: {lr: 0.001}}
hardware: {accelerator: cpu, num_threads: 1}
"""
Clock = Callable[[], float]
ROUND = (True, False, False)  # what is kept in the blocks of a round


class Blocks:
    """Takes the place of a module's `learn`, and of `remember` in the blocks that do without."""

    def __init__(self, module: Any, size: int, clock: Clock) -> None:
        self.learn, self.remember, self.size, self.clock = module.learn, module.remember, size, clock
        self.seconds: list[float] = []
        self.steps = 0
        module.learn, module.remember = self.timed, self.kept

    def timed(self, batch: Any) -> None:
        """Take a step, and add what it took to its block."""
        if self.steps % self.size == 0:
            self.seconds.append(0.0)
        began = self.clock()
        self.learn(batch)
        self.seconds[-1] += self.clock() - began
        self.steps += 1

    def kept(self, batch: Any) -> None:
        """Keep keys and move the copy, in the blocks that do so."""
        if ROUND[self.steps // self.size % len(ROUND)]:
            self.remember(batch)


def main() -> None:
    """Measure every case that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--case", choices=CASES, action="append")
    parser.add_argument("--cpu", action="store_true", help="CPU seconds of the whole process, for a busy machine")
    options = parser.parse_args()
    clock = time.process_time if options.cpu else time.perf_counter
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for case in options.case or CASES:
            report(case, options.pairs, clock)


def report(case: str, pairs: int, clock: Clock) -> None:
    """Print the ratio with to without, its spread, and the null; the first round warms up."""
    size, recipe = CASES[case]
    blocks = trained(SHARED + recipe.replace("STEPS", str(size * len(ROUND) * (pairs + 1))), size, clock)
    rounds = np.array(blocks.seconds).reshape(-1, len(ROUND))[1:]
    ratios, nulls = rounds[:, 0] / rounds[:, 1], rounds[:, 2] / rounds[:, 1]
    record(case, list(ratios))
    low, high = np.percentile(ratios, [25, 75])
    print(
        f"{case:8} without {statistics.median(rounds[:, 1]) / size * 1e3:7.2f} ms/step   with/without "
        f"{statistics.median(ratios):.4f} ({low:.4f}–{high:.4f})   null {statistics.median(nulls):.4f}",
        flush=True,
    )


def trained(recipe: str, size: int, clock: Clock) -> Blocks:
    """Train a recipe in blocks of so many steps."""
    import dlx.plan
    from dlx.engine.build.experiment import build
    from dlx.engine.training.chunks import ChunkLoader
    from dlx.engine.training.trainer import build_trainer, silence_lightning

    Path("r.yaml").write_text(recipe)
    plan = dlx.plan.make(dlx.load("r.yaml"))
    experiment = build(plan)
    blocks = Blocks(experiment.module, size, clock)
    with silence_lightning():
        build_trainer(plan).fit(experiment.module, ChunkLoader(experiment.batches["train"], plan.length.steps))
    return blocks


if __name__ == "__main__":
    main()
