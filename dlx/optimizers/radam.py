from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.optimizers import Beta, Groups, Optimizer

if TYPE_CHECKING:
    import torch


class RAdam(Optimizer):
    """Adam that steps by the mean gradient alone until the mean of squares can be trusted.

    θ ← θ − lr rₜ m̂ / (√v̂ + ε) with rₜ from the number of squares in the mean, and θ ← θ − lr m̂ while that is
    below 5. Does the work of a warm-up without its length to choose.

    Units:   weight_decay is multiplied by lr where it is decoupled.
    Source:  Liu et al. 2020, arXiv:1908.03265; torch.optim.RAdam.

    Example:
        {type: radam, lr: 1.0e-3, weight_decay: 0.01}
    """

    type: Literal["radam"] = "radam"
    state_per_parameter: ClassVar[float] = 2.0
    betas: tuple[Beta, Beta] = Field((0.9, 0.999), strict=False)
    """Decay rates of the running means of the gradient and of its square."""
    eps: float = Field(1e-8, gt=0)
    """Added to the denominator."""
    weight_decay: float = Field(0.0, ge=0)
    """Decay of the weights."""
    decoupled_weight_decay: bool = True
    """Whether decay acts on the weights themselves, as in AdamW, or is added to the gradient."""

    def build(self, groups: Groups) -> torch.optim.Optimizer:
        import torch

        return torch.optim.RAdam(
            groups,
            lr=self.lr,
            betas=self.betas,
            eps=self.eps,
            weight_decay=self.weight_decay,
            decoupled_weight_decay=self.decoupled_weight_decay,
        )
