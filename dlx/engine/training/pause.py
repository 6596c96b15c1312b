"""Pausing: training ends after an epoch with a checkpoint, to resume later as if it had never stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint

from dlx.engine.training.callbacks import History
from dlx.engine.training.checkpointer import Checkpointer


class TrainingPaused(BaseException):
    """Training has come to the epoch after which it was to pause; `points` are its learning curves so far.

    It is no error: what catches errors lets it pass.
    """

    def __init__(self, points: Mapping[str, Sequence[tuple[int, float]]]) -> None:
        super().__init__("training is paused")
        self.points = points


class PauseAfterEpoch(Checkpoint):
    """Saves and ends training when so many epochs are over. It is a Checkpoint so that Lightning calls it last."""

    def __init__(self, epoch: int, checkpointer: Checkpointer, history: History) -> None:
        self.epoch, self.checkpointer, self.history = epoch, checkpointer, history

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self.checkpointer.position.epoch >= self.epoch:  # it had come here already
            raise TrainingPaused(self.history.points)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self.checkpointer.position.epoch >= self.epoch:
            self.checkpointer.save(trainer)
            raise TrainingPaused(self.history.points)
