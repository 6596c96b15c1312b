from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.optimizers import Groups, Optimizer
from dlx.optimizers._fused import use_fused

if TYPE_CHECKING:
    import torch


class Adagrad(Optimizer):
    """Adagrad: adaptive learning rates that fall with the sum of all squared gradients of a parameter.

    s ← s + g²;  θ ← θ − lr g / (√s + ε). Rare features keep large steps, which suits sparse inputs; as s only grows,
    it slows down for good on long runs.

    Units:   weight_decay is added to the gradient; lr_decay divides the lr by 1 + lr_decay · steps.
    Source:  Duchi et al. 2011, JMLR 12; torch.optim.Adagrad.

    Example:
        {type: adagrad, lr: 0.05}
    """

    type: Literal["adagrad"] = "adagrad"
    state_per_parameter: ClassVar[float] = 1.0
    lr: float = Field(0.01, gt=0)
    """Learning rate."""
    lr_decay: float = Field(0.0, ge=0)
    """Decay of the learning rate."""
    initial_accumulator_value: float = Field(0.0, ge=0)
    """Initial value of the sum of squares."""
    eps: float = Field(1e-10, gt=0)
    """Added to the denominator for numerical stability."""
    weight_decay: float = Field(0.0, ge=0)
    """Weight decay as an L2 penalty: λ θ is added to the gradient."""

    def build(self, groups: Groups) -> torch.optim.Optimizer:
        import torch

        return torch.optim.Adagrad(
            groups,
            lr=self.lr,
            lr_decay=self.lr_decay,
            initial_accumulator_value=self.initial_accumulator_value,
            eps=self.eps,
            weight_decay=self.weight_decay,
            fused=use_fused(groups, devices=("cpu",)),
        )
