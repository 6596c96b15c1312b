"""How many CPU threads train fastest: a few steps of the very training with one, and with all there may be."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from statistics import median
from typing import Any

import pytorch_lightning as pl
import torch

from dlx.data.prepare import Prepared
from dlx.engine.build.experiment import batches_of, build_module
from dlx.engine.training.chunks import Bursts
from dlx.engine.training.trainer import quieted, trainer_for
from dlx.errors import DivergedError
from dlx.plan import Plan

STEPS = 8
SETTLING = 2  # steps before the first that counts: memory is laid out, kernels are chosen
SECONDS = 0.3  # after which no further step is tried


def with_fastest(plan: Plan, prepared: Prepared) -> Plan:
    """Return the plan with the number of threads that is faster: one, or all that it allows."""
    most = int(plan.recipe.hardware.num_threads)
    seconds = {threads: _seconds(plan, prepared, threads) for threads in (1, most)}
    fastest = min(seconds, key=lambda threads: seconds[threads])
    auto_values = {"auto_values": {**plan.auto_values, "hardware.num_threads": f"{fastest} (tried 1 and {most})"}}
    return plan.evolve_all(
        {"resolved.hardware.num_threads": fastest, "recipe.hardware.num_threads": fastest, **auto_values}
    )


def _seconds(plan: Plan, prepared: Prepared, threads: int) -> float:
    """Return what a step takes."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    clock = Clock()
    try:
        with quieted(), suppress(DivergedError, MemoryError, RuntimeError):  # training will say it, if it meets it too
            trainer = trainer_for(plan, callbacks=[clock])
            trainer.fit(build_module(plan), Bursts(batches_of(plan, prepared)["train"], STEPS, at_most=1))
    finally:
        torch.set_num_threads(before)
    counted = clock.seconds[SETTLING:] or clock.seconds[-1:]
    return median(counted) if counted else math.inf


class Clock(pl.Callback):
    """Times every step, and ends training when there were enough of them."""

    def __init__(self) -> None:
        self.began = self.last = 0.0
        self.seconds: list[float] = []

    def on_train_batch_start(self, *args: Any) -> None:
        self.last = time.perf_counter()
        self.began = self.began or self.last

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        now = time.perf_counter()
        self.seconds.append(now - self.last)
        if len(self.seconds) >= STEPS or (len(self.seconds) > 1 and now - self.began > SECONDS):
            trainer.should_stop = True
