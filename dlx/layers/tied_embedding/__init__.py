from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Child, Layer, infer_shape, propagate
from dlx.tensors import Cost, Spec, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class TiedEmbedding(Layer):
    """Looks tokens up, applies layers, and scores every word of the vocabulary by the same table: W · layers(W[x]).

    A word's vector as input and as output are one, which saves the largest matrix of a small language model. Of a
    record, all fields that hold tokens share the table, so that encoder, decoder and output of a translator have one
    for all three. The table starts with variance 1 / features, so that scores start near variance 1.

    Shapes:  (T,) tokens → (T, vocabulary); or a record of them.
    Raises:  ShapeError if the layers do not end in the table's number of features.
    Source:  Press & Wolf 2017, arXiv:1608.05859.

    Example:
        tied_embedding:
          features: 16
          layers: [{position_embedding: learned}, {attention: {num_heads: 2, causal: true}}]
    """

    type: Literal["tied_embedding"] = "tied_embedding"
    features: int = Field(gt=0)
    """Size of a token's vector."""
    layers: list[Layer] = Field(min_length=1)
    """What stands between the vectors and the scores."""
    scale_embedding: bool = False
    """Whether vectors are multiplied by the square root of their size."""
    logit_scale: float = Field(1.0, gt=0)
    """Factor of the features before they are scored."""
    bias: bool = False
    """Whether each word's score has a bias."""

    @property
    def is_head(self) -> bool:
        """It scores all words."""
        return True

    def children(self, x: TensorSpec) -> list[Child]:
        return self._propagate(x)[0]

    def shape(self, x: TensorSpec) -> TensorSpec:
        y = self._features(x)
        return y.with_dims((*y.dims[:-1], self._vocabulary(x)))

    def cost(self, x: TensorSpec) -> Cost:
        y, words = self._features(x), self._vocabulary(x)
        own = Cost(parameters=words * self.bias, macs=y.elements * words, activations=y.elements)
        return super().cost(x) + own

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.tied_embedding.module import TiedEmbeddingModule

        table, *rest = self.children(x)
        layers = {c.name.removeprefix("layers."): c.layer.build(c.x) for c in rest}  # type: ignore[arg-type]
        return TiedEmbeddingModule(table.layer.build(x), layers, self.logit_scale, self.bias)  # type: ignore[arg-type]

    def _propagate(self, x: Spec) -> tuple[list[Child], Spec]:
        embedding = Layer.model_validate(
            {"embedding": {"features": self.features, "scale_embedding": self.scale_embedding}}
        )
        children, y = propagate(self.layers, infer_shape((), embedding, x), "layers")
        named = [Child(f"layers.{c.name}", c.loc, c.layer, c.x) for c in children]
        return [Child("embedding", (), embedding, x), *named], y

    def _features(self, x: Spec) -> TensorSpec:
        y = self._propagate(x)[1]
        if not isinstance(y, TensorSpec) or y.axes not in ("F", "TF") or y.dims[-1] != self.features:
            raise ShapeError(f"the layers must end in the table's {self.features} features, but give {y}", ("layers",))
        return y

    def _vocabulary(self, x: Spec) -> int:
        fields = [x] if isinstance(x, TensorSpec) else [field for field in x.values() if field.axes == "T"]
        return max(field.vocab[0] for field in fields)
