from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.initializers import Initializer

if TYPE_CHECKING:
    from torch import Tensor


class Scaled(Initializer):
    """Scaled initialization: the weights of another initializer, times a factor.

    For layers whose weights start smaller or larger than the rest, such as the last of each branch of a deep residual
    network: GPT-2 divides these by the square root of the number of branches.

    Source:  Radford et al. 2019, section 2.3.

    Example:
        {scaled: {of: normal, factor: 0.25}}
    """

    type: Literal["scaled"] = "scaled"
    of: Initializer
    """The initializer that draws the weights."""
    factor: float = Field(gt=0)
    """Factor of the weights."""

    @property
    def uses_gain(self) -> bool:
        return self.of.uses_gain

    def fill(self, weight: Tensor, gain: float) -> None:
        self.of.fill(weight, gain)
        weight.mul_(self.factor)
