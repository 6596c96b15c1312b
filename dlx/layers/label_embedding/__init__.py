from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Layer, require_context
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class LabelEmbedding(Layer):
    """Class embedding: looks up the class label of the context in a learned table, for conditional generation.

    The input itself is not read. A conditional generator joins the vector to its noise by `branches`, a denoiser adds
    it to its time embedding.

    Shapes:  any → (features,).
    Raises:  ShapeError if nothing provides a class.
    Source:  Mirza & Osindero 2014, arXiv:1411.1784; torch.nn.Embedding.

    Example:
        {label_embedding: 32}
    """

    primary: ClassVar[str] = "features"
    type: Literal["label_embedding"] = "label_embedding"
    features: int = Field(gt=0)
    """Size of a class's vector."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        self._classes(x)
        return TensorSpec((self.features,), "F")

    def cost(self, x: TensorSpec) -> Cost:
        return Cost(parameters=self._classes(x) * self.features)

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.label_embedding.module import LabelTable

        return LabelTable(self._classes(x), self.features)

    def _classes(self, x: TensorSpec) -> int:
        label = require_context(x, "label", self.type)
        if label.dims or len(label.vocab) != 1:
            raise ShapeError("label_embedding takes one class for a sample, of a known number of classes")
        return label.vocab[0]
