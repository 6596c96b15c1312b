from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.layers._activation import Activation
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import nn


class ELU(Activation):
    """Exponential linear unit (ELU): x for x > 0, α (eˣ − 1) otherwise.

    Means of activations stay nearer to zero than with relu; costs an exponential.

    Source:  Clevert et al. 2016, arXiv:1511.07289; torch.nn.ELU.

    Example:
        elu
    """

    primary: ClassVar[str] = "alpha"
    type: Literal["elu"] = "elu"
    alpha: float = Field(1.0, gt=0)
    """Where it saturates, below zero."""

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        return nn.ELU(self.alpha)

    def gain(self) -> float:
        return 1 / math.sqrt(0.5 + 0.14495 * self.alpha**2)  # 1 / √E[f(z)²] for standard normal z
