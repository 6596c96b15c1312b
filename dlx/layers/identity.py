from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.layers import Layer
from dlx.tensors import Cost, Spec, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class Identity(Layer):
    """Identity: passes its input on, as a linear activation or an empty branch.

    Shapes:  kept; a record passes too.
    Source:  torch.nn.Identity.

    Example:
        identity
    """

    type: Literal["identity"] = "identity"

    def shape(self, x: TensorSpec) -> Spec:
        return x

    def cost(self, x: TensorSpec) -> Cost:
        return Cost()

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        return nn.Identity()

    def gain(self) -> float:
        return 1.0
