"""dlx with everything that it does by default, against a loop that a person would write with a DataLoader.

    python benchmarks/speed.py [--pairs 9] [--case digits] [--profile]

Both train the same network from the same weights on the same batches with the same optimizer, validate after every
epoch, and are timed from the first step to the last, in turn, in one process with one thread. Before anything is timed
their losses must agree. A ratio below 1 means that dlx is faster. `null` is the loop against itself: how far two
measurements of the same thing are apart here.
"""

from __future__ import annotations

import argparse
import copy
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

CASES = {
    "digits": """
data: {source: {sklearn: digits}, transforms: [{flatten: {}}]}
model: {mlp: {hidden: [128]}}
train: {epochs: 100, batch_size: 64}
""",
    "mlp": """
data: {source: {sklearn: digits}, transforms: [{flatten: {}}]}
model: {mlp: {hidden: [1024, 1024]}}
train: {epochs: 16, batch_size: 64}
""",
    "lenet": """
data: {source: {type: mnist}}
model: lenet5
train: {epochs: 2, batch_size: 128, limit_train: 6400, limit_val: 1000, limit_test: 100}
""",
}
SHARED = """
name: speed
task: classification
optimizer: {adam: {lr: 0.001}}
hardware: {accelerator: cpu, threads: 1}
"""


def main() -> None:
    """Measure every case that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--case", choices=CASES, action="append")
    parser.add_argument("--profile", action="store_true", help="print where dlx spends its time instead")
    parser.add_argument("--cpu", action="store_true", help="CPU seconds of the whole process, for a busy machine")
    options = parser.parse_args()
    clock = time.process_time if options.cpu else time.monotonic
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for case in options.case or CASES:
            Path("r.yaml").write_text(SHARED + CASES[case])
            pair = Pair(clock)
            if options.profile:
                profiled(pair.ours)
            else:
                report(case, pair, options.pairs)


def report(case: str, pair: Pair, pairs: int) -> None:
    """Print the ratio of the two, its spread, and the null."""
    pair.agree()
    pair.ours(), pair.theirs()  # warm up
    ratios, nulls, step = [], [], []
    for _ in range(pairs):
        ours, theirs, again = pair.ours(), pair.theirs(), pair.theirs()
        ratios.append(ours / theirs)
        nulls.append(again / theirs)
        step.append(theirs / pair.steps * 1e3)
    low, high = np.percentile(ratios, [25, 75])
    print(
        f"{case:8} loop {statistics.median(step):6.3f} ms/step   dlx/loop {statistics.median(ratios):.3f} "
        f"({low:.3f}–{high:.3f})   null {statistics.median(nulls):.3f}",
        flush=True,
    )


class Pair:
    """The same training twice: by dlx, and by hand."""

    def __init__(self, clock: Callable[[], float]) -> None:
        import dlx.plan
        from dlx.engine import callbacks
        from dlx.engine.build import build

        self.clock = callbacks.clock = clock
        self.loaded = dlx.load("r.yaml")
        self.plan = dlx.plan.make(self.loaded)
        self.experiment = build(self.plan)
        self.network = copy.deepcopy(self.experiment.module.networks["network"])
        self.train, self.val = (self._tensors(name) for name in ("train", "val"))
        self.size, self.epochs = self.plan.recipe.train.batch_size, self.plan.recipe.train.epochs or 1
        self.steps = self.plan.horizon.steps

    def _tensors(self, split: str) -> torch.utils.data.TensorDataset:
        """Return a split as a person would hold it: floats, normalized once."""
        batches = copy.copy(self.experiment.batches[split])
        batches.shuffled, batches.size = False, len(batches.rows)
        (whole,) = batches
        return torch.utils.data.TensorDataset(whole[self.plan.seen.inputs[0]], whole["target"])

    def ours(self) -> float:
        """Train by dlx with its defaults; return the seconds from the first step to the last."""
        from rich.console import Console

        from dlx.engine import run
        from dlx.engine.checkpoint import load
        from dlx.engine.keep import saved

        trained = run.train(self.plan, self.loaded, Console(file=io.StringIO()))
        self.last = load(saved(trained.folder / "checkpoints")[0])["state_dict"]
        return trained.seconds

    def theirs(self) -> float:
        """Train by hand; return the seconds from the first step to the last."""
        network = copy.deepcopy(self.network)
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, **self._flags())
        order = Order(self.plan.recipe.seed, len(self.train))
        train = torch.utils.data.DataLoader(self.train, batch_size=self.size, sampler=order)
        val = torch.utils.data.DataLoader(self.val, batch_size=256)
        criterion = nn.CrossEntropyLoss()
        began = self.clock()
        for epoch in range(self.epochs):
            order.epoch, total, since = epoch, 0.0, 0
            network.train()
            for x, y in train:
                optimizer.zero_grad()
                loss = criterion(network(x), y)
                loss.backward()
                optimizer.step()
                total, since = total + loss.item(), since + 1
            correct, seen, val_loss = 0, 0, 0.0
            network.eval()
            with torch.no_grad():
                for x, y in val:
                    output = network(x)
                    val_loss += criterion(output, y).item() * len(y)
                    correct, seen = correct + int((output.argmax(1) == y).sum()), seen + len(y)
        seconds = self.clock() - began
        self.by_hand = network.state_dict()
        return seconds

    def _flags(self) -> dict[str, Any]:
        """Return how dlx runs the optimizer: fused or not is the same for both."""
        optimizer = self.experiment.module.configure_optimizers()[0]["optimizer"]
        return {name: optimizer.defaults[name] for name in ("fused", "foreach", "betas", "eps")}

    def agree(self) -> None:
        """Raise AssertionError if the two do not end with the same weights."""
        self.ours(), self.theirs()
        for name, value in self.by_hand.items():
            torch.testing.assert_close(self.last[f"networks.network.{name}"], value, rtol=1e-3, atol=1e-4)


class Order(torch.utils.data.Sampler[int]):
    """dlx's permutation of an epoch, as a sampler."""

    def __init__(self, seed: int, n: int) -> None:
        self.seed, self.n, self.epoch = seed, n, 0

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Any:
        from dlx.engine.batches import order

        return iter(order(self.seed, self.epoch, self.n).tolist())


def profiled(action: Callable[[], float]) -> None:
    """Print the functions in which a second run spends its time."""
    import cProfile
    import pstats

    import pytorch_lightning as pl

    action()
    profile, fit = cProfile.Profile(), pl.Trainer.fit
    pl.Trainer.fit = lambda *args, **options: profile.runcall(fit, *args, **options)  # type: ignore[method-assign]
    print(f"{action():.3f} s")
    pstats.Stats(profile).sort_stats("tottime").print_stats(45)
    pstats.Stats(profile).sort_stats("cumtime").print_stats(70)


if __name__ == "__main__":
    main()
