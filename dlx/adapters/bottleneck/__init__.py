from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.adapters._linear import LinearAdapter
from dlx.layers import Layer, LinearMap

if TYPE_CHECKING:
    from torch import nn


class Bottleneck(LinearAdapter):
    """Bottleneck adapter: a small network behind a linear map, with a residual connection around it.

    y + up(activation(down(y))), of which `up` begins with zeros, so that the first output is that of the pretrained
    network. The paper puts one behind attention and one behind the feed-forward network of each block.

    Source:  Houlsby et al. 2019, arXiv:1902.00751; deviation: `up` begins with zeros instead of near them.

    Example:
        {type: bottleneck, hidden: 2, layers: body}
    """

    type: Literal["bottleneck"] = "bottleneck"
    hidden: int = Field(64, gt=0)
    """Size between the two maps of an adapter."""
    activation: Layer = Field(default="gelu", validate_default=True)
    """Activation between them."""

    def added_parameters(self, linear: LinearMap) -> int:
        return 2 * self.hidden * linear.outputs + self.hidden + linear.outputs

    def build(self, linear: nn.Linear) -> nn.Module:
        from dlx.adapters.bottleneck.module import ResidualBottleneck
        from dlx.tensors import TensorSpec

        activation = self.activation.build(TensorSpec((self.hidden,), "F"))
        return ResidualBottleneck(linear, self.hidden, activation)
