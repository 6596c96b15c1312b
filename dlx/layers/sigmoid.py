from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.layers._activation import Activation
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import nn


class Sigmoid(Activation):
    """Logistic sigmoid: squashes to (0, 1), 1 / (1 + e⁻ˣ).

    For probabilities and gates. As a hidden activation its slope of at most ¼ makes gradients vanish with depth.

    Source:  torch.nn.Sigmoid.

    Example:
        {type: sigmoid}
    """

    saves_output: ClassVar[bool] = True
    type: Literal["sigmoid"] = "sigmoid"

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        return nn.Sigmoid()

    def gain(self) -> float:
        return 1.0
