from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.layers._activation import Activation
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import nn


class LeakyReLU(Activation):
    """Leaky ReLU: x for x > 0, negative_slope · x otherwise.

    Like relu, but negative inputs have a gradient too, so that no unit can die.

    Source:  Maas et al. 2013; torch.nn.LeakyReLU.

    Example:
        {leaky_relu: 0.2}
    """

    primary: ClassVar[str] = "negative_slope"
    type: Literal["leaky_relu"] = "leaky_relu"
    negative_slope: float = Field(0.01, ge=0)
    """Slope for negative inputs."""

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        return nn.LeakyReLU(self.negative_slope)

    def gain(self) -> float:
        return math.sqrt(2 / (1 + self.negative_slope**2))
