from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.optimizers import Groups, Optimizer
from dlx.optimizers._fused import use_fused

if TYPE_CHECKING:
    import torch


class SGD(Optimizer):
    """SGD, stochastic gradient descent: a step against the gradient of a batch.

    θ ← θ − lr (g + λ θ). The reference for every other optimizer; `momentum` and `nesterov` are SGD with momentum.

    Units:   weight_decay is added to the gradient, as an L2 penalty of λ/2 |θ|².
    Source:  Robbins & Monro 1951, doi:10.1214/aoms/1177729586; torch.optim.SGD.

    Example:
        {type: sgd, lr: 0.1}
    """

    type: Literal["sgd"] = "sgd"
    lr: float = Field(0.1, gt=0)
    """Learning rate."""
    weight_decay: float = Field(0.0, ge=0)
    """Weight decay as an L2 penalty: λ θ is added to the gradient."""

    def build(self, groups: Groups) -> torch.optim.Optimizer:
        import torch

        return torch.optim.SGD(groups, lr=self.lr, weight_decay=self.weight_decay, fused=use_fused(groups))
