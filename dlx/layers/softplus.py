from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.layers._activation import Activation
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import nn


class Softplus(Activation):
    """Softplus: a smooth relu that is always positive, ln(1 + e^(βx)) / β.

    For outputs that must be positive, such as a variance or a rate.

    Source:  Dugas et al. 2001; torch.nn.Softplus.

    Example:
        softplus
    """

    type: Literal["softplus"] = "softplus"
    beta: float = Field(1.0, gt=0)
    """How sharp the bend is; the larger, the closer to relu."""

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        return nn.Softplus(self.beta)

    def gain(self) -> float:
        return 1.042  # 1 / √E[f(z)²] for standard normal z and beta 1
