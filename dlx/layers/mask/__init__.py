from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.layers import Layer, require_axes
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class Mask(Layer):
    """Padding mask: sets the padded steps of a sequence to zero.

    Put it before layers that mix neighboring steps and do not know the mask, such as `conv`, so that padding never
    changes a result. Without padding it does nothing.

    Shapes:  (T, F) or (C, L), kept.
    Raises:  ShapeError if the input is not a sequence of features.

    Example:
        mask
    """

    type: Literal["mask"] = "mask"

    def shape(self, x: TensorSpec) -> TensorSpec:
        return require_axes(x, ("TF", "CL"), self.type)

    def cost(self, x: TensorSpec) -> Cost:
        return Cost()

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.mask.module import PaddingMask

        return PaddingMask(time=1 + max(x.axes.find("T"), x.axes.find("L")))
