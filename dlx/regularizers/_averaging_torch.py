"""What averages of weights share: Lightning's callback, put right where no average has begun, and outside training."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor


class WeightAveragingCallback(WeightAveraging):
    """Lightning's weight averaging, made safe before the average begins, during evaluation and for non-weight state.

    A checkpoint holds the average as its weights, and beside it the weights from which training continues. Until the
    average has begun, the weights themselves are evaluated and saved. State that a module keeps outside of its
    networks, such as a queue or a threshold, is copied, not averaged.
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
            self._take_over(pl_module)
            super().on_validation_epoch_start(trainer, pl_module)
            self.is_swapped = True

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The module has yet to measure what it measures of all samples together: with the average, too."""

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.has_begun and trainer.state.fn == "fit":
            self._take_over(pl_module)
            super().on_validation_epoch_end(trainer, pl_module)
            self.is_swapped = False

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.has_begun:
            self._take_over(pl_module)
            super().on_train_end(trainer, pl_module)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if self.has_begun:
            self._take_over(pl_module)
            super().on_save_checkpoint(trainer, pl_module, checkpoint)
            if self.is_swapped:  # stopped during validation: each is where the other belongs
                first, second = checkpoint["state_dict"], checkpoint["current_model_state"]
                checkpoint["state_dict"], checkpoint["current_model_state"] = second, first

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if trainer.state.fn == "fit" and "averaging_state" in checkpoint:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)

    def _take_over(self, pl_module: pl.LightningModule) -> None:
        """Give the average what the module keeps beside its networks: where no weight learns."""
        assert self._average_model is not None
        learning = {name.partition(".")[0] for name, weight in pl_module.named_parameters() if weight.requires_grad}
        averages, currents = self._average_model.module.state_dict(), pl_module.state_dict()
        for name in (n for n in currents if n.partition(".")[0] not in learning):
            averages[name].copy_(currents[name])


@torch.no_grad()
def lerp_weights_(averages: list[Tensor], currents: list[Tensor], share: float) -> None:
    """Move averages toward the current values in place, all of one dtype; counts and other integers are copied."""
    if averages[0].is_floating_point():
        torch._foreach_lerp_(averages, currents, share)
    else:
        torch._foreach_copy_(averages, currents)
