from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.layers._activation import Activation
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import nn


class Mish(Activation):
    """Mish: a smooth self-gated activation, x · tanh(ln(1 + eˣ)).

    Close to silu, a little steeper at zero; usual in YOLOv4.

    Source:  Misra 2019, arXiv:1908.08681; torch.nn.Mish.

    Example:
        mish
    """

    type: Literal["mish"] = "mish"

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        return nn.Mish()

    def gain(self) -> float:
        return 1.487  # 1 / √E[f(z)²] for standard normal z
