from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.optimizers import Groups, Optimizer
from dlx.optimizers._fused import use_fused, with_momentum_buffers

if TYPE_CHECKING:
    import torch


class Nesterov(Optimizer):
    """SGD with Nesterov momentum: the gradient is taken at the look-ahead position.

    v ← μ v + g + λ θ;  θ ← θ − lr (g + λ θ + μ v). Corrects an overshoot earlier than the heavy ball, and so tolerates
    a larger μ.

    Units:   a constant gradient moves the weights by lr g / (1 − μ) in a step.
    Source:  Nesterov 1983; in the form of Sutskever et al. 2013, as in torch.optim.SGD.

    Example:
        {type: nesterov, lr: 0.05, momentum: 0.9}
    """

    type: Literal["nesterov"] = "nesterov"
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
            nesterov=True,
            weight_decay=self.weight_decay,
            fused=use_fused(groups),
        )
        return with_momentum_buffers(optimizer)
