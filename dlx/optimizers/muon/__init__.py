from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.optimizers import Beta, Groups, Optimizer

if TYPE_CHECKING:
    import torch


class Muon(Optimizer):
    """Muon: momentum orthogonalized by Newton–Schulz iterations for weight matrices; AdamW for all other parameters.

    B ← μ B + (1 − μ) g;  O ≈ U Vᵀ of B = U S Vᵀ, by five Newton–Schulz iterations;  θ ← θ − lr (0.2 √max(n, m) O +
    λ θ). All directions of a matrix learn at the same rate, not only the few strong ones; often needs fewer steps
    than AdamW. Convolutions count as matrices of filters. Parameters of fewer than two dimensions are updated by AdamW
    with the same lr, which the factor 0.2 √max(n, m) makes fit: the update's root mean square is then AdamW's.

    Units:   lr and weight_decay as for AdamW; weight_decay is multiplied by lr.
    Source:  Jordan 2024, kellerjordan.github.io/posts/muon; scale and field names: Liu et al. 2025, arXiv:2502.16982.
             Deviations: embeddings and the output layer are matrices like any other; iterations run in bfloat16 on CUDA
             and in float32 elsewhere.

    Example:
        {type: muon, lr: 2.0e-3, weight_decay: 0.1}
    """

    type: Literal["muon"] = "muon"
    state_per_parameter: ClassVar[float] = 1.0
    needs_full_parameters: ClassVar[bool] = True
    momentum: Beta = 0.95
    """Momentum factor: decay rate of the moving average of a matrix's gradient."""
    nesterov: bool = True
    """Whether to use Nesterov momentum."""
    ns_steps: int = Field(5, ge=1, le=50)
    """Number of Newton–Schulz iterations."""
    weight_decay: float = Field(0.1, ge=0)
    """Decoupled weight decay: each step subtracts lr · weight_decay · θ."""
    adamw_betas: tuple[Beta, Beta] = Field((0.9, 0.95), strict=False)
    """AdamW's decay rates, for parameters that are no matrices."""
    adamw_eps: float = Field(1e-8, gt=0)
    """AdamW's addition to the denominator."""

    def build(self, groups: Groups) -> torch.optim.Optimizer:
        from dlx.optimizers.muon.module import Muon as Rule

        return Rule(
            groups,
            lr=self.lr,
            momentum=self.momentum,
            nesterov=self.nesterov,
            ns_steps=self.ns_steps,
            weight_decay=self.weight_decay,
            adamw_betas=self.adamw_betas,
            adamw_eps=self.adamw_eps,
        )
