"""Initializers: weight initialization of a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlx.component import Component

if TYPE_CHECKING:
    from torch import Tensor


class Initializer(Component):
    """Weight initialization: the distribution of the first weights. Biases start at zero."""

    family = "initializers"

    @property
    def uses_gain(self) -> bool:
        """Whether the weights are multiplied by the gain of the next activation."""
        return False

    def fill(self, weight: Tensor, gain: float) -> None:
        """Fill the weight in place, without gradients; gain is that of the next activation."""
        raise NotImplementedError

    def fill_bias(self, bias: Tensor) -> None:
        """Fill a bias in place, without gradients."""
        bias.zero_()
