"""Base of the Xavier initializers."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from dlx.initializers import Initializer
from dlx.unions import single_error


class Xavier(Initializer):
    """Xavier (Glorot) initialization, with a gain."""

    primary: ClassVar[str] = "gain"
    gain: Annotated[Literal["auto"] | Annotated[float, Field(gt=0)], single_error("auto, or a positive number")] = 1.0
    """Factor of the weights: 1 as in the paper; auto is the gain of the next activation, as in torch.nn.init."""

    @property
    def uses_gain(self) -> bool:
        return self.gain == "auto"

    def _factor(self, gain: float) -> float:
        return gain if self.gain == "auto" else self.gain
