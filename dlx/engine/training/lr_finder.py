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
from dlx.engine.distributed.processes import alone
from dlx.engine.training.chunks import Bursts
from dlx.engine.training.trainer import quieted, trainer_for
from dlx.errors import DivergedError, RunError
from dlx.plan import Plan
from dlx.schedules import Schedule, TrainingLength

STEPS = 100
LOWEST, HIGHEST = 1e-8, 1.0
SETTLING = 10  # points at the beginning and one at the end that say nothing
SMOOTHING = 0.98


class Growing(Schedule):
    """Multiplies the rate by the same factor in every step, from LOWEST to HIGHEST."""

    type: str = "growing"

    def lr_factor(self, step: int, length: TrainingLength) -> float:
        return float((HIGHEST / LOWEST) ** (step / STEPS))


class Curve(DummyLogger):
    """Keeps the loss of every step."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:  # type: ignore[override]
        if "train/loss" in metrics:
            self.losses.append(float(metrics["train/loss"]))


def find_lr(plan: Plan) -> float:
    """Return the rate at which the loss falls most steeply.

    Raises: RunError if the loss never falls.
    """
    changed = alone(_changed(with_lr(plan, LOWEST)))
    experiment, curve = build(changed), Curve()
    with quieted():
        trainer = trainer_for(changed, logger=curve)
        with suppress(DivergedError):  # the rates up to there have been seen
            trainer.fit(experiment.module, Bursts(experiment.batches["train"], STEPS))
    steepest = _steepest(curve.losses)
    if steepest is None:
        raise RunError("no learning rate made the loss fall; look at the data and the loss first")
    return LOWEST * float((HIGHEST / LOWEST) ** (steepest / STEPS))


def _changed(plan: Plan) -> Plan:
    """Return the plan of the test: a few steps, every one of them a point of the curve."""
    train = {"recipe.train.steps": STEPS, "recipe.train.epochs": None, "recipe.train.log_every_n_steps": 1}
    length = TrainingLength(STEPS, plan.length.steps_per_epoch)
    return plan.evolve_all({**train, "recipe.schedule.*": Growing(), "length": length})


def _steepest(losses: list[float]) -> int | None:
    """Return the step at which the smoothed loss falls most steeply, if it falls at all."""
    smooth, mean = [], 0.0
    for step, loss in enumerate(losses, 1):
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        smooth.append(mean / (1 - SMOOTHING**step))
    seen = np.asarray(smooth[SETTLING:-1])
    if len(seen) < 2:
        return None
    slopes = np.gradient(seen)
    return int(np.argmin(slopes)) + SETTLING if slopes.min() < 0 else None


def with_lr(plan: Plan, rate: float) -> Plan:
    """Return the plan with every optimizer's learning rate changed."""
    return plan.evolve_all({"resolved.optimizer.*.lr": rate, "recipe.optimizer.*.lr": rate})
