from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.optimizers import Beta, Groups, Optimizer

if TYPE_CHECKING:
    import torch


class RMSprop(Optimizer):
    """RMSprop: divides the gradient by the root of the moving average of its square.

    v ← α v + (1 − α) g²;  θ ← θ − lr g / (√v + ε). Adagrad with exponential forgetting; long the choice for recurrent
    networks and for reinforcement learning. centered divides by the standard deviation in place of the root mean
    square.

    Units:   weight_decay is added to the gradient.
    Source:  Tieleman & Hinton 2012, Coursera lecture 6e, whose α is 0.9 (torch's default is 0.99); centered: Graves
             2013, arXiv:1308.0850; torch.optim.RMSprop.

    Example:
        {type: rmsprop, lr: 1.0e-3}
    """

    type: Literal["rmsprop"] = "rmsprop"
    lr: float = Field(1e-3, gt=0)
    """Learning rate."""
    alpha: Beta = 0.9
    """Smoothing constant: decay rate of the moving average of the square."""
    momentum: float = Field(0.0, ge=0, lt=1)
    """Momentum factor."""
    centered: bool = False
    """Whether the gradient is normalized by an estimate of its standard deviation."""
    eps: float = Field(1e-8, gt=0)
    """Added to the denominator for numerical stability."""
    weight_decay: float = Field(0.0, ge=0)
    """Weight decay as an L2 penalty: λ θ is added to the gradient."""

    @property
    def state_per_parameter(self) -> float:  # type: ignore[override]
        return 1.0 + (self.momentum > 0) + self.centered

    def build(self, groups: Groups) -> torch.optim.Optimizer:
        import torch

        return torch.optim.RMSprop(
            groups,
            lr=self.lr,
            alpha=self.alpha,
            momentum=self.momentum,
            centered=self.centered,
            eps=self.eps,
            weight_decay=self.weight_decay,
        )
