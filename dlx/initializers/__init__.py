"""Initializers: weight initialization of a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dlx.component import Component

if TYPE_CHECKING:
    from torch import Tensor


class Initializer(Component):
    """Weight initialization: the distribution of the first weights. Biases start at zero."""

    family = "initializers"
    uses_gain: ClassVar[bool] = False
    """Whether the factor of the activation that follows enters."""

    def fill(self, weight: Tensor, gain: float) -> None:
        """Fill the weight in place, without gradients; gain is that of the next activation."""
        raise NotImplementedError
