"""Initializers: how the weights of a layer start."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dlx.component import Component

if TYPE_CHECKING:
    from torch import Tensor


class Initializer(Component):
    """A distribution of starting weights. Biases start at zero unless an initializer says otherwise."""

    family = "initializers"
    uses_gain: ClassVar[bool] = False
    """Whether the factor of the activation that follows enters."""

    def fill(self, weight: Tensor, gain: float) -> None:
        """Overwrite the weight in place (no gradient is recorded). gain belongs to the activation that follows."""
        raise NotImplementedError
