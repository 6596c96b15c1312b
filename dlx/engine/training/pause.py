"""Pausing: training ends at an epoch with a checkpoint, to go on later as if it had never stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint

from dlx.engine.training.callbacks import History
from dlx.engine.training.checkpointer import Keep


class Paused(BaseException):
    """Training has come to the epoch at which it was to pause; `points` are its learning curves so far.

    It is no error: what catches errors lets it pass.
    """

    def __init__(self, points: Mapping[str, Sequence[tuple[int, float]]]) -> None:
        super().__init__("training is paused")
        self.points = points


class Pause(Checkpoint):
    """Saves and ends training when so many epochs are over. It is a Checkpoint so that Lightning calls it last."""

    def __init__(self, epoch: int, keep: Keep, history: History) -> None:
        self.epoch, self.keep, self.history = epoch, keep, history

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self.keep.position.epoch >= self.epoch:  # it had come here already
            raise Paused(self.history.points)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self.keep.position.epoch >= self.epoch:
            self.keep.save(trainer)
            raise Paused(self.history.points)
