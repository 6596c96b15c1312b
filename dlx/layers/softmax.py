from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.layers import require_axes
from dlx.layers._activation import Activation
from dlx.layers._axes import FEATURES, feature_axis
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import nn


class Softmax(Activation):
    """Softmax: turns the features at each position into probabilities, eˣⁱ / Σⱼ eˣʲ.

    For gates and mixtures inside a network. Classification losses apply it to their logits themselves: do not end a
    network with it.

    Shapes:  kept; sums over F or C.
    Source:  torch.nn.Softmax.

    Example:
        softmax
    """

    saves_output: ClassVar[bool] = True
    type: Literal["softmax"] = "softmax"

    def shape(self, x: TensorSpec) -> TensorSpec:
        return require_axes(x, FEATURES, self.type)

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        return nn.Softmax(dim=feature_axis(x) + 1)
