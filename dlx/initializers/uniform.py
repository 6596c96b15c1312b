from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from dlx.initializers import Initializer

if TYPE_CHECKING:
    from torch import Tensor


class Uniform(Initializer):
    """Uniform initialization, between two fixed bounds.

    The bounds do not follow the layer's size.

    Source:  torch.nn.init.uniform_.

    Example:
        {uniform: {low: -0.1, high: 0.1}}
    """

    type: Literal["uniform"] = "uniform"
    low: float = -0.05
    """Smallest weight."""
    high: float = 0.05
    """Largest weight."""

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.low >= self.high:
            raise PydanticCustomError("empty_interval", "low {low} is not below high {high}", self.__dict__)
        return self

    def fill(self, weight: Tensor, gain: float) -> None:
        from torch.nn import init

        init.uniform_(weight, self.low, self.high)
