from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from dlx.optimizers import Groups, Optimizer

if TYPE_CHECKING:
    import torch


class Adafactor(Optimizer):
    """Adafactor: Adam with a factored second moment, one number per row and column, and no first moment.

    v ≈ r cᵀ / mean(r), with r and c the moving averages of g² over rows and columns, and β₂ = 1 − t^beta2_decay; update
    clipping limits the root mean square of a step to d, and the step is relative to that of the weights. For networks
    whose Adam state does not fit in memory.

    Units:   lr is relative to the root mean square of the weights, and falls as 1/√t once that is smaller;
             weight_decay is multiplied by lr.
    Source:  Shazeer & Stern 2018, arXiv:1804.04235; torch.optim.Adafactor.

    Example:
        {type: adafactor, lr: 0.05}
    """

    type: Literal["adafactor"] = "adafactor"
    needs_full_parameters: ClassVar[bool] = True
    lr: float = Field(0.01, gt=0)
    """Largest learning rate, relative to the size of the weights."""
    beta2_decay: float = Field(-0.8, lt=0)
    """Exponent of the decay rate β₂: the closer to 0, the shorter the average."""
    eps: tuple[Annotated[float, Field(gt=0)] | None, Annotated[float, Field(gt=0)]] = Field((None, 1e-3), strict=False)
    """Regularization constants: the smallest squared gradient (null: machine precision squared), and the smallest root
    mean square of the weights to which steps are relative.
    """
    d: float = Field(1.0, ge=1)
    """Clipping threshold: the largest root mean square of an update, before lr."""
    weight_decay: float = Field(0.0, ge=0)
    """Decoupled weight decay: each step subtracts lr · weight_decay · θ."""

    def build(self, groups: Groups) -> torch.optim.Optimizer:
        import torch

        return torch.optim.Adafactor(
            groups,
            lr=self.lr,
            beta2_decay=self.beta2_decay,
            eps=self.eps,
            d=self.d,
            weight_decay=self.weight_decay,
        )
