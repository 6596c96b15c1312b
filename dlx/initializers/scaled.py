from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.initializers import Initializer

if TYPE_CHECKING:
    from torch import Tensor


class Scaled(Initializer):
    """The weights of another initializer, times a factor.

    For layers that must begin smaller or larger than the rest, such as those that end the branches of a deep residual
    network: GPT-2 divides these by the root of how many branches are added up.

    Source:  Radford et al. 2019, section 2.3.

    Example:
        {scaled: {of: normal, factor: 0.25}}
    """

    type: Literal["scaled"] = "scaled"
    of: Initializer
    """What draws the weights."""
    factor: float = Field(gt=0)
    """What they are multiplied by."""

    @property
    def uses_gain(self) -> bool:  # type: ignore[override]
        return self.of.uses_gain

    def fill(self, weight: Tensor, gain: float) -> None:
        self.of.fill(weight, gain)
        weight.mul_(self.factor)
