from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.layers import require_numeric
from dlx.layers._activation import Activation
from dlx.layers._axes import num_features
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class PReLU(Activation):
    """Parametric ReLU (PReLU): a leaky relu that learns its slope, x for x > 0, a · x otherwise.

    Shapes:  kept.
    Source:  He et al. 2015, arXiv:1502.01852; torch.nn.PReLU.

    Example:
        {prelu: all}
    """

    primary: ClassVar[str] = "per"
    type: Literal["prelu"] = "prelu"
    per: Literal["all", "feature"] = "all"
    """One slope for all, or one for each feature or channel."""
    init_value: float = Field(0.25, ge=0)
    """Initial slope."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        self._num_slopes(x)
        return require_numeric(x, self.type)

    def cost(self, x: TensorSpec) -> Cost:
        return super().cost(x) + Cost(parameters=self._num_slopes(x))

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        from dlx.layers.prelu.module import TimePReLU

        return (TimePReLU if x.axes == "TF" else nn.PReLU)(self._num_slopes(x), self.init_value)

    def gain(self) -> float:
        return math.sqrt(2 / (1 + self.init_value**2))

    def _num_slopes(self, x: TensorSpec) -> int:
        return num_features(x, self.type) if self.per == "feature" else 1
