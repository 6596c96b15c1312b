from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.adapters._linear import LinearAdapter
from dlx.layers import LinearMap

if TYPE_CHECKING:
    from torch import nn


class BitFit(LinearAdapter):
    """BitFit: only the biases of linear maps learn, less than 0.1 % of a transformer's parameters.

    Each bias learns as a change that is added to it and begins with zeros, so that a map without a bias gets one, and
    weight decay draws it to the pretrained bias.

    Source:  Ben Zaken et al. 2022, arXiv:2106.10199; deviation: the biases of norms stay as they are.

    Example:
        {type: bitfit, layers: body}
    """

    type: Literal["bitfit"] = "bitfit"

    def added_parameters(self, linear: LinearMap) -> int:
        return linear.outputs

    def build(self, linear: nn.Linear) -> nn.Module:
        from dlx.adapters.bitfit.module import BiasChange

        return BiasChange(linear)
