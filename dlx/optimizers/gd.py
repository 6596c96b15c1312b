from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.optimizers import Groups, Optimizer
from dlx.optimizers._fused import use_fused

if TYPE_CHECKING:
    import torch


class GD(Optimizer):
    """Gradient descent on the whole train split: one exact step an epoch.

    θ ← θ − lr (g + λ θ), with g over all samples. Shows what optimization does without the noise of batches; slow where
    there are many samples, and apt to stay at saddles that noise would leave.

    Units:   an epoch is one step; weight_decay is added to the gradient.
    Source:  Cauchy 1847; torch.optim.SGD.

    Example:
        {type: gd, lr: 0.1}
    """

    type: Literal["gd"] = "gd"
    full_batch: ClassVar[bool] = True
    lr: float = Field(0.1, gt=0)
    """Step size of an update."""
    weight_decay: float = Field(0.0, ge=0)
    """Factor of the weights that is added to the gradient."""

    def build(self, groups: Groups) -> torch.optim.Optimizer:
        import torch

        return torch.optim.SGD(
            groups,
            lr=self.lr,
            weight_decay=self.weight_decay,
            fused=use_fused(groups),
        )
