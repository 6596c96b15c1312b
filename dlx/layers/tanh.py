from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.layers._activation import Activation
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import nn


class Tanh(Activation):
    """Hyperbolic tangent: squashes to (−1, 1), tanh x.

    Centered at zero, which trains better than a sigmoid; saturates for large inputs.

    Source:  torch.nn.Tanh.

    Example:
        {type: tanh}
    """

    saves_output: ClassVar[bool] = True
    type: Literal["tanh"] = "tanh"

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        return nn.Tanh()

    def gain(self) -> float:
        return 5 / 3
