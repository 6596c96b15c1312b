from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.optimizers import Groups, Optimizer
from dlx.optimizers._fused import use_fused

if TYPE_CHECKING:
    import torch


class GD(Optimizer):
    """Full-batch gradient descent: one step per epoch, with the exact gradient of the train split.

    θ ← θ − lr (g + λ θ), with g over all samples. Shows optimization without the noise of mini-batches; slow where
    there are many samples, and prone to stay at saddle points that noise would leave.

    Units:   an epoch is one step; weight_decay is added to the gradient.
    Source:  Cauchy 1847; torch.optim.SGD.

    Example:
        {type: gd, lr: 0.1}
    """

    type: Literal["gd"] = "gd"
    full_batch: ClassVar[bool] = True
    lr: float = Field(0.1, gt=0)
    """Learning rate."""
    weight_decay: float = Field(0.0, ge=0)
    """Weight decay as an L2 penalty: λ θ is added to the gradient."""

    def build(self, groups: Groups) -> torch.optim.Optimizer:
        import torch

        return torch.optim.SGD(
            groups,
            lr=self.lr,
            weight_decay=self.weight_decay,
            fused=use_fused(groups),
        )
