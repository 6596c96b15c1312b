from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.adapters._linear import LinearAdapter
from dlx.layers import LinearMap

if TYPE_CHECKING:
    from torch import nn


class IA3(LinearAdapter):
    """IA³: each output of a linear map is multiplied by a number that learns, and begins with 1.

    The fewest weights of all that are added: one for each output. The paper adapts keys, values and the inner
    activations of feed-forward networks; `layers` chooses which maps are.

    Source:  Liu et al. 2022, arXiv:2205.05638.

    Example:
        {type: ia3, layers: body}
    """

    type: Literal["ia3"] = "ia3"

    def added_parameters(self, linear: LinearMap) -> int:
        return linear.outputs

    def build(self, linear: nn.Linear) -> nn.Module:
        from dlx.adapters.ia3.module import OutputScale

        return OutputScale(linear)
