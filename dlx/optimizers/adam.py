from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.optimizers import Beta, Groups, Optimizer
from dlx.optimizers._fused import use_fused

if TYPE_CHECKING:
    import torch


class Adam(Optimizer):
    """Adam: steps by the moving average of the gradient over the root of the moving average of its square.

    m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²;  θ ← θ − lr m̂ / (√v̂ + ε). Robust to the scale of the gradient,
    and so the usual first try; with weight decay prefer `adamw`.

    Units:   weight_decay is added to the gradient, so that its effect is divided by √v̂ too.
    Source:  Kingma & Ba 2015, arXiv:1412.6980; torch.optim.Adam.

    Example:
        {type: adam, lr: 1.0e-3}
    """

    type: Literal["adam"] = "adam"
    state_per_parameter: ClassVar[float] = 2.0
    betas: tuple[Beta, Beta] = Field((0.9, 0.999), strict=False)
    """Exponential decay rates β₁, β₂ of the moving averages of the gradient and of its square."""
    eps: float = Field(1e-8, gt=0)
    """Added to the denominator for numerical stability."""
    weight_decay: float = Field(0.0, ge=0)
    """Weight decay as an L2 penalty: λ θ is added to the gradient."""

    def build(self, groups: Groups) -> torch.optim.Optimizer:
        import torch

        return torch.optim.Adam(
            groups,
            lr=self.lr,
            betas=self.betas,
            eps=self.eps,
            weight_decay=self.weight_decay,
            fused=use_fused(groups),
        )
