from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from dlx.optimizers import Groups, Optimizer
from dlx.optimizers._fused import use_fused, with_momentum_buffers

if TYPE_CHECKING:
    import torch


class SGD(Optimizer):
    """SGD, stochastic gradient descent: a step against the gradient of a batch.

    θ ← θ − lr (g + λ θ). The reference for every other optimizer. With a momentum factor it is the heavy ball; the
    types `momentum` and `nesterov` are the same with defaults of their own.

    Units:   weight_decay is added to the gradient, as an L2 penalty of λ/2 |θ|².
    Raises:  ValueError for nesterov without momentum, or with dampening.
    Source:  Robbins & Monro 1951, doi:10.1214/aoms/1177729586; torch.optim.SGD.

    Example:
        {type: sgd, lr: 0.1}
    """

    type: Literal["sgd"] = "sgd"
    lr: float = Field(0.1, gt=0)
    """Learning rate."""
    momentum: float = Field(0.0, ge=0, lt=1)
    """Momentum factor."""
    dampening: float = Field(0.0, ge=0, lt=1)
    """Dampening for momentum: the share of each gradient that does not enter the velocity."""
    nesterov: bool = False
    """Whether to use Nesterov momentum."""
    weight_decay: float = Field(0.0, ge=0)
    """Weight decay as an L2 penalty: λ θ is added to the gradient."""

    @model_validator(mode="after")
    def _check_nesterov(self) -> Self:
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise ValueError("nesterov needs a momentum above 0 and no dampening")
        return self

    @property
    def state_per_parameter(self) -> float:  # type: ignore[override]
        return float(self.momentum > 0)

    def build(self, groups: Groups) -> torch.optim.Optimizer:
        import torch

        optimizer = torch.optim.SGD(
            groups,
            lr=self.lr,
            momentum=self.momentum,
            dampening=self.dampening,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
            fused=use_fused(groups) if self.dampening == 0 else None,
        )
        return with_momentum_buffers(optimizer) if self.momentum and self.dampening == 0 else optimizer
