"""What the benchmarks share that hold dlx against code written by hand: both do the same work, and are timed in turn.

A case has two actions, `ours` and `theirs`, which return seconds, and `agree`, which raises AssertionError unless both
come to the same result; where it has `figures`, these are printed for the median seconds of each. A round is ours,
theirs, and theirs again; a ratio is that of one round, and what is printed is the median of all rounds with its
quartiles. A ratio below 1 means that dlx is faster. `null` is theirs against itself: how far two measurements of the
same thing are apart here.

Memory is by how much a fresh process grew at most (Linux), or what was allocated on a GPU, while it did the work,
once everything was imported.
"""

from __future__ import annotations

import argparse
import copy
import gc
import io
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from results import record
from torch import Tensor, nn

Clock = Callable[[], float]
Make = Callable[[Clock, str], "Case"]
"""What makes a case, given a clock and a device: cpu or cuda."""
SIDES = ("ours", "theirs")
HARDWARE = {
    "cpu": "{accelerator: cpu, num_threads: 1, precision: 32}",
    "cuda": "{accelerator: gpu, devices: 1, num_threads: 1, precision: 32}",
}
TRIAL = "task: classification\ndata: {source: {sklearn: iris}}\nmodel: linear\ntrain: {epochs: 1}\n"


class Case(Protocol):
    """The same work twice."""

    steps: int
    """Into how many equal steps the work falls."""

    def ours(self) -> float:
        """Do it by dlx; return the seconds that it took."""
        ...

    def theirs(self) -> float:
        """Do it by hand; return the seconds that it took."""
        ...

    def agree(self) -> None:
        """Raise AssertionError if the two do not come to the same."""
        ...


class Training:
    """A case in which dlx trains a recipe with everything that it does by default.

    A subclass writes `theirs`: the loop that a person would write, from the first step to the last, over the same
    batches, from the same weights. It leaves the weights in `by_hand`, in the order of the networks' own.
    """

    options: ClassVar[tuple[str, ...]] = ("fused", "foreach", "betas", "eps")
    """Options of an optimizer that dlx chooses for itself, and that are the same for both."""
    tolerance = 0.01
    """How far apart the weights of both may be in the end, as a share of how far they came from the start."""

    def __init__(self, recipe: str, clock: Clock, device: str = "cpu", changes: Sequence[str] = ()) -> None:
        from dlx.engine.training import callbacks

        self.clock = callbacks.clock = clock
        self.device = device
        Path("r.yaml").write_text(f"name: paired\n{recipe}\nhardware: {HARDWARE[device]}\n")
        self.changes = changes
        self.begin()
        self.size, self.steps = self.plan.recipe.train.batch_size, self.plan.length.steps
        self.epochs = self.plan.recipe.train.epochs or 1
        self.metrics: dict[str, float] = {}
        self.trained: list[Tensor] = []
        self.by_hand: list[Tensor] = []

    def begin(self, *changes: str) -> None:
        """Plan and build what is trained, with changes to the recipe."""
        import dlx.plan
        from dlx.engine.build.experiment import build

        self.loaded = dlx.load("r.yaml", [*self.changes, *changes])
        self.plan = dlx.plan.make(self.loaded)
        self.experiment = build(self.plan)
        built = copy.deepcopy(self.experiment.module.networks)
        self.networks = built.to(memory_format=torch.contiguous_format)  # as a person would leave it

    def ours(self) -> float:
        """Train by dlx; return the seconds from the first step to the last."""
        from rich.console import Console

        from dlx.engine.checkpoint import load_checkpoint
        from dlx.engine.runs import run
        from dlx.engine.training.checkpointer import list_checkpoints

        trained = run.train(self.plan, self.loaded, Console(file=io.StringIO()))
        weights = load_checkpoint(list_checkpoints(trained.folder / "checkpoints")[0])["state_dict"]
        self.trained = [value for name, value in weights.items() if name.startswith("networks.")]
        self.metrics = trained.metrics
        return trained.seconds

    def theirs(self) -> float:
        """Train by hand."""
        raise NotImplementedError

    def agree(self) -> None:
        """Raise AssertionError if the two do not end with the same weights, where images have one layout for both."""
        self.begin("hardware.channels_last=false")
        self.ours(), self.theirs()
        apart = moved = 0.0
        for ours, theirs, start in zip(self.trained, self.by_hand, self.networks.state_dict().values(), strict=True):
            if ours.is_floating_point():
                apart += float((ours.cpu().double() - theirs.cpu().double()).square().sum())
                moved += float((ours.cpu().double() - start.cpu().double()).square().sum())
        print(f"weights are apart by {math.sqrt(apart / moved):.2g} of the way that they came", flush=True)
        if apart > self.tolerance**2 * moved:
            raise AssertionError("dlx and the loop by hand do not train alike")
        self.begin()

    def now(self) -> float:
        """Return the time at which the device has done what it was told."""
        if self.device == "cuda":
            torch.cuda.synchronize()
        return self.clock()

    def settings(self, number: int = 0) -> dict[str, Any]:
        """Return how dlx runs an optimizer, which is the same for both."""
        defaults = self.experiment.module.configure_optimizers()[number]["optimizer"].defaults
        return {name: defaults[name] for name in self.options if name in defaults}


class Order(torch.utils.data.Sampler[int]):
    """dlx's permutation of an epoch, as a sampler."""

    def __init__(self, seed: int, n: int, epoch: int = 0) -> None:
        self.seed, self.n, self.epoch = seed, n, epoch

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Any:
        from dlx.engine.data.batches import permutation

        return iter(permutation(self.seed, self.epoch, self.n).tolist())


def copied(theirs: nn.Module, ours: nn.Module) -> nn.Module:
    """Give a module the weights of another that holds the same ones in the same order; return it."""
    pairs = zip(theirs.state_dict().items(), ours.state_dict().values(), strict=True)
    theirs.load_state_dict({name: value.reshape(own.shape) for (name, own), value in pairs})
    return theirs


def main(about: str, cases: Mapping[str, Make], chosen: Sequence[str] = ()) -> None:
    """Measure every case that the command line asks for; without a word, those that are `chosen`, or all."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=9, help="rounds")
    parser.add_argument("--case", choices=cases, action="append")
    parser.add_argument("--profile", action="store_true", help="print where dlx spends its time instead")
    parser.add_argument("--cpu", action="store_true", help="CPU seconds of the whole process, for a busy machine")
    parser.add_argument("--device", choices=HARDWARE, default="cpu")
    parser.add_argument("--memory", nargs="?", const="both", choices=("both", *SIDES), help="measure memory instead")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    script = Path(sys.argv[0]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name in asked.case or chosen or cases:
            if asked.memory == "both":
                _compare_memory(name, script, asked.device)
                continue
            case = cases[name](time.process_time if asked.cpu else time.monotonic, asked.device)
            if asked.memory:
                print(*grown(getattr(case, asked.memory)))
            elif asked.profile:
                _profile(case.ours)
            else:
                _report(name, case, asked.pairs)


def _report(name: str, case: Case, rounds: int) -> None:
    """Print the ratio of the two, its spread, and the null."""
    case.agree()
    case.ours(), case.theirs()  # warm up
    times = np.array([(case.ours(), case.theirs(), case.theirs()) for _ in range(rounds)])
    ours, theirs, again = times.T
    low, middle, high = np.percentile(ours / theirs, [25, 50, 75])
    print(
        f"{name:14} by hand {np.median(theirs) / case.steps * 1e3:8.3f} ms/step   dlx/by hand {middle:.3f} "
        f"({low:.3f}–{high:.3f})   null {np.median(again / theirs):.3f}",
        flush=True,
    )
    record(name, list(ours / theirs))
    figures = getattr(case, "figures", None)
    if figures is not None:
        print(f"  by hand {figures(np.median(theirs))}; dlx {figures(np.median(ours))}", flush=True)


def _profile(action: Callable[[], float]) -> None:
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


def _compare_memory(name: str, script: Path, device: str) -> None:
    """Print how much memory each side takes in a process of its own."""
    found = []
    for side in SIDES:
        command = [sys.executable, str(script), "--case", name, "--device", device, "--memory", side]
        answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[-1]
        found.append([int(n) / 2**20 for n in answer.split()])
    (ours, whole), (theirs, other) = found
    print(
        f"{name:14} by hand {theirs:8.1f} MiB   dlx/by hand {ours / theirs:.3f}   "
        f"whole process {other:.0f} MiB, dlx {whole:.0f} MiB",
        flush=True,
    )


def grown(action: Callable[[], float]) -> tuple[int, int]:
    """Return by how many bytes memory grew at most while an action ran, and what the process took then."""
    _train_a_little()
    if torch.cuda.is_available():
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        action()
        return torch.cuda.max_memory_allocated() - before, torch.cuda.max_memory_reserved()
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here on
    before = _status("VmRSS")
    action()
    return _status("VmHWM") - before, _status("VmHWM")


def _train_a_little() -> None:
    """Import all that a training by dlx needs."""
    from rich.console import Console

    import dlx

    Path("trial.yaml").write_text(TRIAL)
    dlx.train(dlx.load("trial.yaml"), console=Console(file=io.StringIO()))


def _status(name: str) -> int:
    """Return what the kernel says of this process's memory, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))
