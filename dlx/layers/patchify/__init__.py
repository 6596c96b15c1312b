from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.layers._axes import width
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class Patchify(Layer):
    """Cuts an image into square patches and maps each to features: an image becomes a sequence, row by row.

    Shapes:  (C, H, W) → (H / size · W / size, features).
    Raises:  ShapeError if patches do not fill the image, or its size is unknown.
    Source:  Dosovitskiy et al. 2020, arXiv:2010.11929.

    Example:
        {patchify: {size: 3, features: 16}}
    """

    type: Literal["patchify"] = "patchify"
    size: int = Field(16, gt=0)
    """Side of a patch."""
    features: int = Field(gt=0)
    """Size of a patch's vector."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        patches = self._patches(x)
        return x.with_dims((patches, self.features), "TF")

    def cost(self, x: TensorSpec) -> Cost:
        inputs = width(x, self.type, ("CHW",)) * self.size**2
        return Cost(
            parameters=self.features * (inputs + 1),
            macs=self._patches(x) * inputs * self.features,
            activations=x.elements,
        )

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.patchify.module import Patches

        return Patches(width(x, self.type, ("CHW",)), self.size, self.features)

    def _patches(self, x: TensorSpec) -> int:
        width(x, self.type, ("CHW",))
        height, side = x.space
        if not height or not side or height % self.size or side % self.size:
            raise ShapeError(f"patches of {self.size} do not fill an image of {x}")
        return (height // self.size) * (side // self.size)
