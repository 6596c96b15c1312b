from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.layers import Layer, require_axes
from dlx.layers._axes import IMAGES, num_features
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class SpatialDropout(Layer):
    """Spatial (channel) dropout: sets whole random channels to zero in training.

    Neighboring pixels are correlated, so that dropping single ones hides little; a dropped channel is gone.
    The rest is multiplied by 1 / (1 − p).

    Shapes:  kept; (C, L), (C, H, W), (C, D, H, W).
    Units:   p is a probability.
    Source:  Tompson et al. 2015, arXiv:1411.4280; torch.nn.Dropout2d.

    Example:
        {spatial_dropout: 0.2}
    """

    primary: ClassVar[str] = "p"
    dropout_field: ClassVar[str | None] = "p"
    saves_input: ClassVar[bool] = False
    type: Literal["spatial_dropout"] = "spatial_dropout"
    p: float = Field(0.5, ge=0, lt=1)
    """Probability that a channel is dropped."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        return require_axes(x, IMAGES, self.type)

    def cost(self, x: TensorSpec) -> Cost:
        return Cost(activations=num_features(x, self.type, IMAGES))

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        return (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)[len(x.spatial) - 1](self.p)
