"""The proximal step of the L1 norm, taken right after every optimizer step."""

from __future__ import annotations

import pytorch_lightning as pl
import torch
from torch import nn

from dlx.regularizers._after_step_torch import AfterStepCallback
from dlx.regularizers._weights import weights


class L1Callback(AfterStepCallback):
    """Soft-thresholds the weights after every step, and measures their sparsity on every evaluation."""

    def __init__(self, alpha: float) -> None:
        super().__init__(lambda optimizer, module: soft_threshold_(optimizer, alpha))

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        pl_module.log("val/sparsity", sparsity(pl_module))

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        pl_module.log("test/sparsity", sparsity(pl_module))


@torch.no_grad()
def soft_threshold_(optimizer: torch.optim.Optimizer, alpha: float) -> None:
    """Move each weight toward zero by its lr · alpha, but not past zero."""
    for group in optimizer.param_groups:
        for weight in weights(group["params"]):
            local = weight.to_local() if hasattr(weight, "to_local") else weight  # of a sharded parameter, the shard
            local.copy_(nn.functional.softshrink(local, group["lr"] * alpha))


def sparsity(network: nn.Module) -> float:
    """Return the fraction of the trainable weights that is exactly zero."""
    tensors = weights(network.parameters())
    zeros = sum(int((tensor == 0).sum()) for tensor in tensors)
    return zeros / max(1, sum(tensor.numel() for tensor in tensors))
