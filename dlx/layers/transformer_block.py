from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Layer, infer_shape, require_axes
from dlx.layers._composite import Composite
from dlx.tensors import TensorSpec


class TransformerBlock(Composite):
    """Transformer block: attention, then a feed-forward network, each with a residual connection and a norm.

    With norm_first x + f(norm(x)), which trains without warmup however deep, and wants a norm after the last block;
    else norm(x + f(x)), as in 2017. A decoder's block also has `cross_attention`, to the encoder's memory, in between.

    Shapes:  (T, F), kept.
    Units:   dropout and drop_path are probabilities: of an element, and of a sample's whole branch.
    Raises:  ShapeError if a part does not fit, or changes the shape.
    Source:  Vaswani et al. 2017, arXiv:1706.03762; norm_first: Xiong et al. 2020, arXiv:2002.04745.

    Example:
        {transformer_block: {attention: {attention: {num_heads: 4, causal: true}}, feed_forward: {feed_forward: 64}}}
    """

    dropout_field: ClassVar[str | None] = "dropout"
    type: Literal["transformer_block"] = "transformer_block"
    attention: Layer
    """The layer that mixes steps, usually attention."""
    feed_forward: Layer
    """The layer that maps every step by itself, such as feed_forward or mixture_of_experts."""
    cross_attention: Layer | None = None
    """Attention to an encoder's memory, between the two."""
    norm: Layer = Field(default="layer_norm", validate_default=True)
    """The norm of each residual branch."""
    norm_first: bool = True
    """Pre-norm: whether the norm comes before each branch; else after the sum (post-norm)."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Probability that an element of a branch's output is set to zero in training."""
    drop_path: float = Field(0.0, ge=0, lt=1)
    """Stochastic depth: probability that a sample skips a branch in training."""

    def expand(self, x: TensorSpec) -> list[Any]:
        require_axes(x, "TF", self.type)
        present = {"attention": self.attention}
        present |= {"cross_attention": self.cross_attention} if self.cross_attention is not None else {}
        present |= {"feed_forward": self.feed_forward}
        for field, layer in present.items():
            y = infer_shape((field,), layer, x)
            if not isinstance(y, TensorSpec) or y.dims != x.dims:
                raise ShapeError(f"a branch of a transformer_block keeps the shape, but {x} becomes {y}", (field,))
        return [self._residual(field, layer) for field, layer in present.items()]

    def _residual(self, name: str, layer: Layer) -> dict[str, Any]:
        norm = self.norm.evolve("name", "norm")
        branch: list[Any] = [layer.evolve("name", "layer")]
        branch += [{"dropout": self.dropout}] if self.dropout else []
        residual = {"type": "residual", "name": name, "drop_path": self.drop_path}
        if self.norm_first:
            return {**residual, "layers": [norm, *branch]}
        return {**residual, "layers": branch, "then": self.norm}
