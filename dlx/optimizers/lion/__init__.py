from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.optimizers import Beta, Groups, Optimizer

if TYPE_CHECKING:
    import torch


class Lion(Optimizer):
    """Lion, evolved sign momentum: steps by the sign of a moving average of the gradient.

    θ ← θ − lr (sign(β₁ m + (1 − β₁) g) + λ θ);  m ← β₂ m + (1 − β₂) g. Needs half of Adam's state. As its steps are
    larger, take an lr 3 to 10 times smaller than for Adam, and a weight decay as many times larger; gains most with
    large batches.

    Units:   lr is the change of every parameter in a step; weight_decay is multiplied by lr.
    Source:  Chen et al. 2023, arXiv:2302.06675.

    Example:
        {type: lion, lr: 3.0e-4, weight_decay: 0.1}
    """

    type: Literal["lion"] = "lion"
    state_per_parameter: ClassVar[float] = 1.0
    lr: float = Field(1e-4, gt=0)
    """Learning rate: the change of every parameter in a step."""
    betas: tuple[Beta, Beta] = Field((0.9, 0.99), strict=False)
    """Weight β₁ of the average in the direction of a step, and decay rate β₂ of the average."""
    weight_decay: float = Field(0.0, ge=0)
    """Decoupled weight decay: each step subtracts lr · weight_decay · θ."""

    def build(self, groups: Groups) -> torch.optim.Optimizer:
        from dlx.optimizers.lion.module import Lion as Rule

        return Rule(groups, self.lr, self.betas, self.weight_decay)
