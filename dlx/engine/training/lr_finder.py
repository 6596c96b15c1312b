"""The learning-rate range test: the rate grows over a few steps, and the loss says which one learns fastest.

Source: Smith 2017, arXiv:1506.01186; the choice is that of Lightning's Tuner, the steepest descent.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from pytorch_lightning.loggers.logger import DummyLogger

from dlx.engine.build.experiment import build
from dlx.engine.distributed.processes import with_one_process
from dlx.engine.training.chunks import ChunkLoader
from dlx.engine.training.trainer import build_trainer, silence_lightning
from dlx.errors import DivergedError, RunError
from dlx.plan import Plan
from dlx.schedules import Schedule, TrainingLength

STEPS = 100
LOWEST_LR, HIGHEST_LR = 1e-8, 1.0
IGNORED_POINTS = 10  # points at the beginning and one at the end that say nothing
SMOOTHING = 0.98


class RangeTestSchedule(Schedule):
    """Schedule of the range test: the learning rate grows by the same factor in every step."""

    type: str = "growing"

    def lr_factor(self, step: int, length: TrainingLength) -> float:
        return float((HIGHEST_LR / LOWEST_LR) ** (step / STEPS))


class LossRecorder(DummyLogger):
    """Records the loss of every step."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:  # type: ignore[override]
        if "train/loss" in metrics:
            self.losses.append(float(metrics["train/loss"]))


def find_lr(plan: Plan) -> float:
    """Return the learning rate at which the loss falls most steeply.

    Raises: RunError if the loss never falls.
    """
    test = with_one_process(_range_test_plan(with_lr(plan, LOWEST_LR)))
    experiment, recorder = build(test), LossRecorder()
    with silence_lightning():
        trainer = build_trainer(test, logger=recorder)
        with suppress(DivergedError):  # the rates up to there have been seen
            trainer.fit(experiment.module, ChunkLoader(experiment.batches["train"], STEPS))
    steepest = _steepest_descent(recorder.losses)
    if steepest is None:
        raise RunError("no learning rate made the loss fall; look at the data and the loss first")
    return LOWEST_LR * float((HIGHEST_LR / LOWEST_LR) ** (steepest / STEPS))


def _range_test_plan(plan: Plan) -> Plan:
    """Return the plan of the range test: a few steps, every one of them a point of the loss curve."""
    train = {"recipe.train.steps": STEPS, "recipe.train.epochs": None, "recipe.train.log_every_n_steps": 1}
    length = TrainingLength(STEPS, plan.length.steps_per_epoch)
    return plan.evolve_all({**train, "recipe.schedule.*": RangeTestSchedule(), "length": length})


def _steepest_descent(losses: list[float]) -> int | None:
    """Return the step at which the smoothed loss falls most steeply, if it falls at all."""
    smooth, mean = [], 0.0
    for step, loss in enumerate(losses, 1):
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        smooth.append(mean / (1 - SMOOTHING**step))
    seen = np.asarray(smooth[IGNORED_POINTS:-1])
    if len(seen) < 2:
        return None
    slopes = np.gradient(seen)
    return int(np.argmin(slopes)) + IGNORED_POINTS if slopes.min() < 0 else None


def with_lr(plan: Plan, rate: float) -> Plan:
    """Return the plan with every optimizer's learning rate changed."""
    return plan.evolve_all({"resolved.optimizer.*.lr": rate, "recipe.optimizer.*.lr": rate})
