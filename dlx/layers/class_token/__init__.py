from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.layers._axes import num_features
from dlx.tensors import Cost, TensorSpec, context_of

if TYPE_CHECKING:
    from torch import nn


class ClassToken(Layer):
    """Class token: prepends a learned vector to a sequence, which gathers features of the whole sequence by attention.

    `select_step` picks it up at the end. For image patches and text without padding; for padded text, use the
    tokenizer's special tokens.

    Shapes:  (T, F) → (1 + T, F).
    Raises:  ShapeError if the sequence is padded: its mask would not fit any more.
    Source:  Devlin et al. 2018, arXiv:1810.04805; Dosovitskiy et al. 2020, arXiv:2010.11929.

    Example:
        class_token
    """

    type: Literal["class_token"] = "class_token"

    def shape(self, x: TensorSpec) -> TensorSpec:
        features = num_features(x, self.type, ("TF",))
        if "mask" in context_of(x):
            raise ShapeError("class_token does not take padded sequences; use the tokenizer's special tokens")
        steps = x.dims[0]
        return x.with_dims((None if steps is None else steps + 1, features))

    def cost(self, x: TensorSpec) -> Cost:
        return Cost(parameters=num_features(x, self.type, ("TF",)))

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.class_token.module import PrependClassToken

        return PrependClassToken(num_features(x, self.type, ("TF",)))
