"""CPU threads: which number trains fastest, by a few steps of the very training with one and with all."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from dataclasses import replace
from statistics import median
from typing import Any

import pytorch_lightning as pl
import torch

from dlx.engine.build.experiment import build
from dlx.engine.data.verify import read_planned_data
from dlx.engine.training.chunks import ChunkLoader
from dlx.engine.training.trainer import build_trainer, silence_lightning
from dlx.errors import DivergedError
from dlx.plan import Plan

STEPS = 8
WARMUP_STEPS = 2  # steps before the first that counts: memory is laid out, kernels are chosen
MAX_SECONDS = 0.3  # after which no further step is tried


def with_fastest_threads(plan: Plan) -> Plan:
    """Return the plan with the number of CPU threads that is faster: one, or all that it allows."""
    plan = replace(plan, prepared=plan.prepared or read_planned_data(plan))
    most = int(plan.recipe.hardware.num_threads)
    seconds = {threads: _step_seconds(plan, threads) for threads in (1, most)}
    fastest = min(seconds, key=lambda threads: seconds[threads])
    auto_values = {"auto_values": {**plan.auto_values, "hardware.num_threads": f"{fastest} (tried 1 and {most})"}}
    return plan.evolve_all(
        {"resolved.hardware.num_threads": fastest, "recipe.hardware.num_threads": fastest, **auto_values}
    )


def _step_seconds(plan: Plan, threads: int) -> float:
    """Return the seconds of a step; infinity where training fails, which it will say itself."""
    before = torch.get_num_threads()
    timer = StepTimer()
    try:
        with silence_lightning(), suppress(DivergedError, MemoryError, RuntimeError):
            experiment = build(plan)
            torch.set_num_threads(threads)
            loader = ChunkLoader(experiment.batches["train"], STEPS, at_most=1)
            build_trainer(plan, callbacks=[timer]).fit(experiment.module, loader)
    finally:
        torch.set_num_threads(before)
    counted = timer.seconds[WARMUP_STEPS:] or timer.seconds[-1:]
    return median(counted) if counted else math.inf


class StepTimer(pl.Callback):
    """Measures the seconds of every step, and ends training when there were enough of them."""

    def __init__(self) -> None:
        self.began = self.last = 0.0
        self.seconds: list[float] = []

    def on_train_batch_start(self, *args: Any) -> None:
        self.last = time.perf_counter()
        self.began = self.began or self.last

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        now = time.perf_counter()
        self.seconds.append(now - self.last)
        if len(self.seconds) >= STEPS or (len(self.seconds) > 1 and now - self.began > MAX_SECONDS):
            trainer.should_stop = True
