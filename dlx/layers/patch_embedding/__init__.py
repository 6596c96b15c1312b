from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.layers._axes import num_features
from dlx.tensors import Cost, TensorSpec
from dlx.windows import Sizes, per_axis

if TYPE_CHECKING:
    from torch import nn


class PatchEmbedding(Layer):
    """Patch embedding: cuts an image into patches and maps each to features, so that it becomes a sequence, row by row.

    Shapes:  (C, H, W) → (H / patch_size · W / patch_size, features).
    Raises:  ShapeError if patches do not fill the image, or its size is unknown.
    Source:  Dosovitskiy et al. 2020, arXiv:2010.11929.

    Example:
        {patch_embedding: {patch_size: [3, 4], features: 16}}
    """

    type: Literal["patch_embedding"] = "patch_embedding"
    patch_size: Sizes = 16
    """Side of a patch; a list gives its height and its width."""
    features: int = Field(gt=0)
    """Size of a patch's vector."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        patches = self._patches(x)
        return x.with_dims((patches, self.features), "TF")

    def cost(self, x: TensorSpec) -> Cost:
        inputs = num_features(x, self.type, ("CHW",)) * prod(self._sides(x))
        return Cost(
            parameters=self.features * (inputs + 1),
            macs=self._patches(x) * inputs * self.features,
            activations=x.elements,
        )

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.patch_embedding.module import PatchProjection

        return PatchProjection(num_features(x, self.type, ("CHW",)), self._sides(x), self.features)

    def _sides(self, x: TensorSpec) -> tuple[int, ...]:
        return per_axis(self.patch_size, len(x.spatial), "patch_size")

    def _patches(self, x: TensorSpec) -> int:
        num_features(x, self.type, ("CHW",))
        counts = []
        for size, side in zip(x.spatial, self._sides(x), strict=True):
            if not size or size % side:
                raise ShapeError(f"patches of {'×'.join(map(str, self._sides(x)))} do not fill an image of {x}")
            counts.append(size // side)
        return prod(counts)
