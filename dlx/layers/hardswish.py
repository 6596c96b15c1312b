from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.layers._activation import Activation
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import nn


class Hardswish(Activation):
    """Hard swish: a piecewise approximation of silu, x · min(max(x + 3, 0), 6) / 6.

    Cheap on devices without a fast exponential; usual in MobileNetV3.

    Source:  Howard et al. 2019, arXiv:1905.02244; torch.nn.Hardswish.

    Example:
        hardswish
    """

    type: Literal["hardswish"] = "hardswish"

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        return nn.Hardswish()

    def gain(self) -> float:
        return 1.737  # 1 / √E[f(z)²] for standard normal z
