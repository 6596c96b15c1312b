from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.layers._axes import num_features
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class FillMaskTokens(Layer):
    """Mask tokens: restores the positions of visible steps, and fills masked ones with a learned mask token.

    Which steps are visible is read from `visible` in the context; where nothing provides that, all are. The inverse of
    `keep_visible`; a position embedding should follow, as all mask tokens are alike.

    Shapes:  (T, F), kept in the plan; in training on masked samples there are fewer steps before.
    Raises:  ShapeError if the number of steps is not known.
    Source:  He et al. 2021, arXiv:2111.06377.

    Example:
        fill_mask_tokens
    """

    type: Literal["fill_mask_tokens"] = "fill_mask_tokens"

    def shape(self, x: TensorSpec) -> TensorSpec:
        num_features(x, self.type, ("TF",))
        if x.dims[0] is None:
            raise ShapeError("fill_mask_tokens fills sequences of a known number of steps")
        return x

    def cost(self, x: TensorSpec) -> Cost:
        return Cost(parameters=num_features(x, self.type, ("TF",)))

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.fill_mask_tokens.module import MaskTokenFill

        return MaskTokenFill(int(x.dims[0] or 0), num_features(x, self.type, ("TF",)))
