from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.optimizers import Beta, Groups, Optimizer
from dlx.optimizers._fused import use_fused

if TYPE_CHECKING:
    import torch


class AdamW(Optimizer):
    """AdamW: Adam with decoupled weight decay.

    m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²;  θ ← θ − lr (m̂ / (√v̂ + ε) + λ θ). The usual first choice: weight
    decay does not depend on the scale of the gradient, as it does in Adam with an L2 penalty.

    Units:   weight_decay is per step and multiplied by lr.
    Source:  Loshchilov & Hutter 2019, arXiv:1711.05101; torch.optim.AdamW.

    Example:
        {type: adamw, lr: 1.0e-3, weight_decay: 0.01}
    """

    type: Literal["adamw"] = "adamw"
    state_per_parameter: ClassVar[float] = 2.0
    betas: tuple[Beta, Beta] = Field((0.9, 0.999), strict=False)
    """Exponential decay rates β₁, β₂ of the moving averages of the gradient and of its square."""
    eps: float = Field(1e-8, gt=0)
    """Added to the denominator for numerical stability."""
    weight_decay: float = Field(0.01, ge=0)
    """Decoupled weight decay: each step subtracts lr · weight_decay · θ."""

    def build(self, groups: Groups) -> torch.optim.Optimizer:
        import torch

        return torch.optim.AdamW(
            groups,
            lr=self.lr,
            betas=self.betas,
            eps=self.eps,
            weight_decay=self.weight_decay,
            fused=use_fused(groups),
        )
