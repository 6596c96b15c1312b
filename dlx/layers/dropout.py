from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.layers import Layer, require_numeric
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class Dropout(Layer):
    """Dropout: sets random elements to zero in training, so that no unit can rely on another.

    The rest is multiplied by 1 / (1 − p), which keeps the mean; nothing happens outside training. For images, where
    neighboring pixels are correlated, `spatial_dropout` drops whole channels.

    Units:   p is a probability.
    Source:  Srivastava et al. 2014; torch.nn.Dropout.

    Example:
        {dropout: 0.5}
    """

    primary: ClassVar[str] = "p"
    dropout_field: ClassVar[str | None] = "p"
    saves_input: ClassVar[bool] = False
    type: Literal["dropout"] = "dropout"
    p: float = Field(0.5, ge=0, lt=1)
    """Probability that an element is dropped."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        return require_numeric(x, self.type)

    def cost(self, x: TensorSpec) -> Cost:
        return Cost(activations=require_numeric(x, self.type).elements)

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        return nn.Dropout(self.p)
