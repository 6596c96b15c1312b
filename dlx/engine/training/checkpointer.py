"""Checkpoints of a run while it trains: those from which it can resume, and the best weights.

Checkpoints are named by the step, and two are kept, so that a damaged one has a predecessor. All of them are written at
the end of an epoch or between two chunks of batches, where every callback has had its turn.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from torch import Tensor

from dlx.engine.checkpoint import METADATA, link_checkpoint
from dlx.engine.distributed.collectives import all_gather, all_reduce_max, is_distributed, rank
from dlx.engine.rng import random_state, restore_random_state
from dlx.engine.training.chunks import BatchChunk, Position
from dlx.errors import CheckpointWriteError, DivergedError

POSITION, RANDOM, WORKER_RANDOM = "position", "random", "random_of_others"
"""Keys of a checkpoint for where training stands, and for the RNG states of rank 0 and of the other ranks."""
BEST = "best.ckpt"
LIGHTNING_VERSION = version("pytorch-lightning")
BEST_KEYS = ("epoch", "global_step", "pytorch-lightning_version", "state_dict", METADATA, POSITION)
KEEP_LAST = 2  # checkpoints from which a run can resume
MIN_INTERVAL_SECONDS = 10.0  # between two of them at the ends of epochs,
MIN_INTERVAL_SAVES = 50  # and at least so many times what writing the last one took


class Checkpointer(Checkpoint):
    """Saves the state of training now and then and at the end, and the weights whenever the monitored metric is best.

    The best weights are held in memory until they are written, together with a checkpoint from which training can
    resume: epochs may be shorter than it takes to write a file. A metric that is not finite is never the best.

    folder    where checkpoints go
    monitor   the metric that chooses the best, "min" or "max" of it; None where the last weights are the best
    every     seconds after which a checkpoint is written in the middle of an epoch
    metadata  what every checkpoint carries, so that the experiment can be built again without its recipe
    report    called with a sentence where one cannot be written: training goes on, and the next one is tried
    """

    def __init__(
        self,
        folder: Path,
        monitor: str | None,
        mode: str,
        every: float,
        metadata: dict[str, Any],
        report: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.report, self.failure = report, ""
        self.folder, self.monitor, self.every, self.metadata = folder, monitor, every, json.dumps(metadata)
        self.sign = 1.0 if mode == "max" else -1.0
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.best_metrics: dict[str, float] = {}
        self.position = Position()
        self._best_weights: dict[str, Any] | None = None
        self._random: dict[str, Any] | None = None
        self._written = time.monotonic()
        self._seconds = 0.0

    # -- state --------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "best_epoch": self.best_epoch, "best_metrics": self.best_metrics}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self.best_epoch = state_dict["best"], state_dict["best_epoch"]
        self.best_metrics = state_dict["best_metrics"]

    def on_save_checkpoint(self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]) -> None:
        del checkpoint["loops"]  # training resumes from the position, not from where Lightning's loops stood
        checkpoint[METADATA] = self.metadata
        checkpoint[POSITION] = asdict(self.position)
        checkpoint[RANDOM], *checkpoint[WORKER_RANDOM] = all_gather(random_state())

    def on_load_checkpoint(self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]) -> None:
        states = [checkpoint[RANDOM], *checkpoint.get(WORKER_RANDOM, [])]
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

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, out: Any, chunk: Any, i: int) -> None:
        assert isinstance(chunk, BatchChunk)
        self.position = chunk.end
        if self._is_due(self.every):
            self.save(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.position = Position(self.position.epoch + 1, 0, self.position.step)
        self._update_best(trainer)
        if self._is_over(trainer) or self._is_due(max(MIN_INTERVAL_SECONDS, MIN_INTERVAL_SAVES * self._seconds)):
            self.save(trainer)

    def _is_due(self, seconds: float) -> bool:
        """Return whether the last checkpoint is older than that, in any of the processes."""
        return bool(all_reduce_max(int(time.monotonic() - self._written > seconds)))

    def _is_over(self, trainer: pl.Trainer) -> bool:
        """Return whether this epoch is the last. Afterward averages take the weights' place, so it must be now."""
        max_epochs, max_steps = trainer.max_epochs or -1, trainer.max_steps
        return trainer.should_stop or self.position.epoch == max_epochs or self.position.step == max_steps

    # -- how ----------------------------------------------------------------------------------------------------------

    def save(self, trainer: pl.Trainer) -> None:
        """Write the best weights, if they are newer than the file, and a checkpoint from which training can resume."""
        began = time.monotonic()
        require_finite_weights(trainer.lightning_module, self.position.step)
        try:
            self._write(trainer, self.folder / f"step-{self.position.step:09d}.ckpt")
            self.failure = ""
        except CheckpointWriteError as error:
            if is_distributed():  # others read the file
                raise
            if not self.failure:
                self.report(f"{error}. Training goes on, and the next checkpoint is tried")
            self.failure = str(error)
        self._written = time.monotonic()
        self._seconds = self._written - began

    def unsaved_weights(self, module: pl.LightningModule) -> Mapping[str, Tensor] | None:
        """Return the best weights if they could not be written, those of a module that has them, else None."""
        if not self.failure:
            return None
        if self._best_weights is not None:
            weights: Mapping[str, Tensor] = self._best_weights["state_dict"]
            return weights
        return module.state_dict() if self.best is None else None

    def _write(self, trainer: pl.Trainer, path: Path) -> None:
        if self._best_weights is not None:
            trainer.strategy.save_checkpoint(self._best_weights, self.folder / BEST)
            self._best_weights = None
        trainer.save_checkpoint(path)
        if trainer.is_global_zero:
            if self.best is None:
                link_checkpoint(path, self.folder / BEST)
            for old in list_checkpoints(self.folder)[KEEP_LAST:]:
                trainer.strategy.remove_checkpoint(old)

    def _update_best(self, trainer: pl.Trainer) -> None:
        value = trainer.callback_metrics.get(self.monitor) if self.monitor is not None else None
        score = math.nan if value is None else float(value)
        if not math.isfinite(score):
            return
        if self.best is None or self.sign * score > self.sign * self.best:
            require_finite_weights(trainer.lightning_module, self.position.step)
            self.best, self.best_epoch = score, self.position.epoch
            self.best_metrics = {name: float(v) for name, v in trainer.callback_metrics.items() if "/" in name}
            self._best_weights = self._weights_checkpoint(trainer)

    def _weights_checkpoint(self, trainer: pl.Trainer) -> dict[str, Any]:
        """Return a checkpoint of the weights alone, those of an average where there is one."""
        checkpoint = {
            "epoch": trainer.current_epoch,
            "global_step": trainer.global_step,
            "pytorch-lightning_version": LIGHTNING_VERSION,
            "state_dict": trainer.strategy.lightning_module_state_dict(),
            METADATA: self.metadata,
            POSITION: asdict(self.position),
        }
        for callback in (c for c in trainer.callbacks if c is not self):  # type: ignore[attr-defined]
            callback.on_save_checkpoint(trainer, trainer.lightning_module, checkpoint)
        return {key: _clone(checkpoint[key]) for key in BEST_KEYS}


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints from which training can resume, newest first."""
    return sorted(folder.glob("step-*.ckpt"), reverse=True)


def require_finite_weights(module: pl.LightningModule, step: int) -> None:
    """Raise DivergedError if a weight is not a finite number: such weights are never saved."""
    weights = [local_part(p) for p in module.parameters()]
    norms = [norm.float() for norm in torch._foreach_norm(weights)] if weights else []
    diverged = bool(norms) and not bool(torch.stack(norms).isfinite().all())
    if all_reduce_max(int(diverged)):  # in any process: each may hold a shard of the weights
        raise DivergedError(float("nan"), step)


def local_part(parameter: Tensor) -> Tensor:
    """Return what this process holds of a parameter: all of it, or a shard."""
    return parameter.to_local().detach() if hasattr(parameter, "to_local") else parameter.detach()


def _clone(value: Any) -> Any:
    """Return a copy of a checkpoint whose tensors do not change when training goes on."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return type(value)((k, _clone(v)) for k, v in value.items())
    return value
