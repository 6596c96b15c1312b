from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.optimizers import Beta, Groups, Optimizer

if TYPE_CHECKING:
    import torch


class RMSprop(Optimizer):
    """Divides the gradient by the root of the running mean of its square.

    v ← α v + (1 − α) g²;  θ ← θ − lr g / (√v + ε). Adagrad that forgets; long the choice for recurrent networks and for
    reinforcement learning. centered takes the variance in place of the mean square.

    Units:   weight_decay is added to the gradient.
    Source:  Tieleman & Hinton 2012, Coursera lecture 6e; centered: Graves 2013, arXiv:1308.0850; torch.optim.RMSprop.

    Example:
        {type: rmsprop, lr: 1.0e-3}
    """

    type: Literal["rmsprop"] = "rmsprop"
    lr: float = Field(1e-3, gt=0)
    """Step size of an update."""
    alpha: Beta = 0.99
    """Decay rate of the running mean of the square."""
    momentum: float = Field(0.0, ge=0, lt=1)
    """Share of the velocity that is kept in a step."""
    centered: bool = False
    """Whether the running mean of the gradient is taken off its mean square."""
    eps: float = Field(1e-8, gt=0)
    """Added to the denominator."""
    weight_decay: float = Field(0.0, ge=0)
    """Factor of the weights that is added to the gradient."""

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
