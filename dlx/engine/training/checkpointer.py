"""What is kept of a run while it goes on: checkpoints to go on from, and the best weights.

Checkpoints are named by the step, and two are kept, so that a damaged one has a predecessor. All of them are written at
the end of an epoch or between two bursts, where every callback has said what it had to say.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from torch import Tensor

from dlx.engine.checkpoint import CARRIED, alias
from dlx.engine.distributed.collectives import all_gather, all_reduce_max, rank
from dlx.engine.rng import random_state, restore_random_state
from dlx.engine.training.chunks import Burst, Position
from dlx.errors import DivergedError

POSITION, RANDOM, OTHERS = "position", "random", "random_of_others"
"""Keys under which a checkpoint says where training stands, and what the generators of rank 0 and of the other ranks
would draw next.
"""
BEST = "best.ckpt"
LIGHTNING = version("pytorch-lightning")
KEPT_OF_THE_BEST = ("epoch", "global_step", "pytorch-lightning_version", "state_dict", CARRIED, POSITION)
KEPT = 2  # checkpoints to go on from
AT_MOST_EVERY = 10.0  # seconds between two of them at the ends of epochs,
TIMES_AS_LONG = 50  # and at least so many times what the last one took


class Keep(Checkpoint):
    """Saves the state of training now and then and at the end, and the weights whenever the monitored metric is best.

    Weights that were best are held in memory until they are written, together with a checkpoint to go on from: epochs
    may be shorter than it takes to write a file.

    folder    where checkpoints go
    monitor   the metric that chooses the best, "min" or "max" of it; None where the last weights are the best
    every     seconds after which a checkpoint is written in the middle of an epoch
    carried   what every checkpoint carries, so that the experiment can be built again without its recipe
    """

    def __init__(self, folder: Path, monitor: str | None, mode: str, every: float, carried: dict[str, Any]) -> None:
        self.folder, self.monitor, self.every, self.carried = folder, monitor, every, json.dumps(carried)
        self.sign = 1.0 if mode == "max" else -1.0
        self.best: float | None = None
        self.position = Position()
        self._held: dict[str, Any] | None = None
        self._random: dict[str, Any] | None = None
        self._written = time.monotonic()
        self._took = 0.0

    # -- state --------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]

    def on_save_checkpoint(self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]) -> None:
        del checkpoint["loops"]  # training goes on from the position, not from where Lightning's loops stood
        checkpoint[CARRIED] = self.carried
        checkpoint[POSITION] = asdict(self.position)
        checkpoint[RANDOM], *checkpoint[OTHERS] = all_gather(random_state())

    def on_load_checkpoint(self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]) -> None:
        states = [checkpoint[RANDOM], *checkpoint.get(OTHERS, [])]
        self.position, self._random = Position(**checkpoint[POSITION]), dict(enumerate(states)).get(rank())

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Set Lightning's counters to the position: epochs that are over, and none begun."""
        loop, at = trainer.fit_loop, self.position
        for progress in (loop.epoch_progress.current, loop.epoch_progress.total):
            progress.load_state_dict(dict.fromkeys(("ready", "started", "processed", "completed"), at.epoch))
        steps = loop.epoch_loop.manual_optimization.optim_step_progress.total
        steps.ready = steps.completed = loop.epoch_loop._batches_that_stepped = at.step
        if rank():  # each draws its own dropout; rank 0 draws what a single process would
            torch.manual_seed(int(np.random.SeedSequence([torch.initial_seed(), rank(), at.step]).generate_state(1)[0]))
        if self._random is not None:
            restore_random_state(self._random)

    # -- when ---------------------------------------------------------------------------------------------------------

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, out: Any, burst: Any, i: int) -> None:
        assert isinstance(burst, Burst)
        self.position = burst.end
        if self._is_due(self.every):
            self.save(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.position = Position(self.position.epoch + 1, 0, self.position.step)
        self._judge(trainer)
        if self._is_over(trainer) or self._is_due(max(AT_MOST_EVERY, TIMES_AS_LONG * self._took)):
            self.save(trainer)

    def _is_due(self, seconds: float) -> bool:
        """Say whether the last checkpoint is older than that, for one of the processes."""
        return bool(all_reduce_max(int(time.monotonic() - self._written > seconds)))

    def _is_over(self, trainer: pl.Trainer) -> bool:
        """Say whether this epoch is the last. Afterward averages take the weights' place, so that it must be now."""
        most_epochs, most_steps = trainer.max_epochs or -1, trainer.max_steps
        return trainer.should_stop or self.position.epoch == most_epochs or self.position.step == most_steps

    # -- how ----------------------------------------------------------------------------------------------------------

    def save(self, trainer: pl.Trainer) -> None:
        """Write the best weights, if they are newer than the file, and a checkpoint to go on from."""
        path, began = self.folder / f"step-{self.position.step:09d}.ckpt", time.monotonic()
        refuse_what_is_not_finite(trainer.lightning_module, self.position.step)
        if self._held is not None:
            trainer.strategy.save_checkpoint(self._held, self.folder / BEST)
            self._held = None
        trainer.save_checkpoint(path)
        if trainer.is_global_zero:
            if self.best is None:
                alias(path, self.folder / BEST)
            for old in saved(self.folder)[KEPT:]:
                trainer.strategy.remove_checkpoint(old)
        self._written = time.monotonic()
        self._took = self._written - began

    def _judge(self, trainer: pl.Trainer) -> None:
        value = trainer.callback_metrics.get(self.monitor) if self.monitor is not None else None
        if value is None:
            return
        score = float(value)
        if self.best is None or self.sign * score > self.sign * self.best:
            refuse_what_is_not_finite(trainer.lightning_module, self.position.step)
            self.best = score
            self._held = self._weights(trainer)

    def _weights(self, trainer: pl.Trainer) -> dict[str, Any]:
        """Return a checkpoint of the weights alone, those of an average where there is one."""
        checkpoint = {
            "epoch": trainer.current_epoch,
            "global_step": trainer.global_step,
            "pytorch-lightning_version": LIGHTNING,
            "state_dict": trainer.strategy.lightning_module_state_dict(),
            CARRIED: self.carried,
            POSITION: asdict(self.position),
        }
        for callback in (c for c in trainer.callbacks if c is not self):  # type: ignore[attr-defined]
            callback.on_save_checkpoint(trainer, trainer.lightning_module, checkpoint)
        return {key: _copied(checkpoint[key]) for key in KEPT_OF_THE_BEST}


def saved(folder: Path) -> list[Path]:
    """Return the checkpoints from which training can go on, newest first."""
    return sorted(folder.glob("step-*.ckpt"), reverse=True)


def refuse_what_is_not_finite(module: pl.LightningModule, step: int) -> None:
    """Raise DivergedError if a weight is not a finite number: such weights are never kept."""
    weights = [here(p) for p in module.parameters()]
    norms = [norm.float() for norm in torch._foreach_norm(weights)] if weights else []
    lost = bool(norms) and not bool(torch.stack(norms).isfinite().all())
    if all_reduce_max(int(lost)):  # in any process: each may hold a part of the weights
        raise DivergedError(float("nan"), step)


def here(parameter: Tensor) -> Tensor:
    """Return what this process holds of a parameter: all of it, or a part."""
    return parameter.to_local().detach() if hasattr(parameter, "to_local") else parameter.detach()


def _copied(value: Any) -> Any:
    """Return a checkpoint whose tensors do not change when training goes on."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return type(value)((k, _copied(v)) for k, v in value.items())
    return value
