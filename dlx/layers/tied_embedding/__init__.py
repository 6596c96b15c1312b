from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.initializers import Initializer
from dlx.layers import Child, Layer, build_children, infer_shape, propagate
from dlx.tensors import Cost, Spec, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class TiedEmbedding(Layer):
    """Weight tying: one table embeds the tokens and, at the end, gives the logits of every word, W · layers(W[x]).

    Input and output embedding are one, which saves the largest matrix of a small language model. Of a
    record, all fields that hold tokens share the table, so that encoder, decoder and output of a translator share one
    for all three. The table is initialized with variance 1 / features, so that logits have a variance near 1.

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
    """The layers between the embeddings and the logits."""
    scale_embedding: bool = False
    """Whether vectors are multiplied by the square root of their size."""
    logit_scale: float = Field(1.0, gt=0)
    """Factor of the features before they are multiplied by the table."""
    bias: bool = False
    """Whether each logit has a bias."""
    embedding_init: Initializer | None = None
    """Initializer of the table; null takes that of the layer, and else a variance of 1 / features."""

    @property
    def is_head(self) -> bool:
        """Its output is the logits of all words."""
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
        layers = {name.removeprefix("layers."): module for name, module in build_children(rest).items()}
        return TiedEmbeddingModule(table.layer.build(x), layers, self.logit_scale, self.bias)  # type: ignore[arg-type]

    def _propagate(self, x: Spec) -> tuple[list[Child], Spec]:
        table = {"features": self.features, "scale_embedding": self.scale_embedding, "init": self.embedding_init}
        embedding = Layer.model_validate({"embedding": table})
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
