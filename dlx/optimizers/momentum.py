from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.optimizers import Groups, Optimizer
from dlx.optimizers._fused import use_fused, with_momentum_buffers

if TYPE_CHECKING:
    import torch


class Momentum(Optimizer):
    """SGD with momentum, also called the heavy ball.

    v ← μ v + g + λ θ;  θ ← θ − lr v. Damps oscillation across a ravine and accelerates along it. With a good schedule
    the standard for convolutional networks.

    Units:   a constant gradient moves the weights by lr g / (1 − μ) in a step, 10 times a plain step at μ = 0.9.
    Source:  Polyak 1964, doi:10.1016/0041-5553(64)90137-5; torch.optim.SGD.

    Example:
        {type: momentum, lr: 0.05, momentum: 0.9}
    """

    type: Literal["momentum"] = "momentum"
    state_per_parameter: ClassVar[float] = 1.0
    lr: float = Field(0.05, gt=0)
    """Learning rate."""
    momentum: float = Field(0.9, gt=0, lt=1)
    """Momentum factor μ."""
    weight_decay: float = Field(0.0, ge=0)
    """Weight decay as an L2 penalty: λ θ is added to the gradient."""

    def build(self, groups: Groups) -> torch.optim.Optimizer:
        import torch

        optimizer = torch.optim.SGD(
            groups,
            lr=self.lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            fused=use_fused(groups),
        )
        return with_momentum_buffers(optimizer)
