from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.optimizers import Beta, Groups, Optimizer

if TYPE_CHECKING:
    import torch


class Adadelta(Optimizer):
    """Adadelta: Adagrad over a moving window, with steps in the units of the parameters, so that no lr needs tuning.

    v ← ρ v + (1 − ρ) g²;  Δ = g √(u + ε) / √(v + ε);  u ← ρ u + (1 − ρ) Δ²;  θ ← θ − lr Δ. Starts slowly, as u
    starts at 0.

    Units:   lr is a factor that the paper leaves at 1; weight_decay is added to the gradient.
    Source:  Zeiler 2012, arXiv:1212.5701; torch.optim.Adadelta.

    Example:
        {type: adadelta, lr: 1.0}
    """

    type: Literal["adadelta"] = "adadelta"
    state_per_parameter: ClassVar[float] = 2.0
    lr: float = Field(1.0, gt=0)
    """Factor on every step."""
    rho: Beta = 0.9
    """Decay rate of the moving averages of squares."""
    eps: float = Field(1e-6, gt=0)
    """Added under both roots; determines the size of the first steps."""
    weight_decay: float = Field(0.0, ge=0)
    """Weight decay as an L2 penalty: λ θ is added to the gradient."""

    def build(self, groups: Groups) -> torch.optim.Optimizer:
        import torch

        return torch.optim.Adadelta(
            groups,
            lr=self.lr,
            rho=self.rho,
            eps=self.eps,
            weight_decay=self.weight_decay,
        )
