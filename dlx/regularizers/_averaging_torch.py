"""What averages of weights share: Lightning's callback, put right where no average has begun, and outside training."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import WeightAveraging


class Averaging(WeightAveraging):
    """Keeps an average of the weights beside them, evaluates it, and ends training with it.

    A checkpoint holds the average as its weights, and what training goes on from beside it. Until the average has
    begun, the weights themselves are evaluated and saved.
    """

    every_step = True
    """The task's module shows it every step, not only the last of a burst."""
    is_swapped = False

    @property
    def has_begun(self) -> bool:
        """Whether there is an average yet."""
        return self._average_model is not None and bool(self._average_model.n_averaged > 0)

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.has_begun and trainer.state.fn == "fit":
            super().on_validation_epoch_start(trainer, pl_module)
            self.is_swapped = True

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.has_begun and trainer.state.fn == "fit":
            super().on_validation_epoch_end(trainer, pl_module)
            self.is_swapped = False

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.has_begun:
            super().on_train_end(trainer, pl_module)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if self.has_begun:
            super().on_save_checkpoint(trainer, pl_module, checkpoint)
            if self.is_swapped:  # stopped during validation: each is where the other belongs
                first, second = checkpoint["state_dict"], checkpoint["current_model_state"]
                checkpoint["state_dict"], checkpoint["current_model_state"] = second, first

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if trainer.state.fn == "fit" and "averaging_state" in checkpoint:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)
