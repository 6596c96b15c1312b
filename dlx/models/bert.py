from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dlx.initializers import Initializer
from dlx.layers import require_axes
from dlx.models import Model
from dlx.models._transformer import attention, dropout, feed_forward, transformer_blocks
from dlx.tensors import Spec


class BERT(Model):
    """BERT: a transformer encoder of text, in which every token attends to all others.

    By default the base model: 109,482,240 parameters with a vocabulary of 30,522. With the pooler it gives one vector
    of the first token, for a whole text; without it one for each token.

    Shapes:  (T,) tokens → (features,), or (T, features) without pooler.
    Units:   dropout is a probability.
    Raises:  ShapeError if there are no tokens, or more than `max_length`.
    Source:  Devlin et al. 2018, arXiv:1810.04805.

    Example:
        {type: bert, features: 16, num_layers: 2, num_heads: 2}
    """

    type: Literal["bert"] = "bert"
    init: Initializer | None = Field(default="normal", validate_default=True)
    """Initializer of every layer that has no `init` of its own."""
    features: int = Field(768, gt=0)
    """Size of every vector."""
    num_layers: int = Field(12, gt=0)
    """Number of transformer blocks."""
    num_heads: int = Field(12, gt=0)
    """Number of attention heads."""
    hidden: int | None = Field(None, gt=0)
    """Hidden size of the feed-forward networks; null is 4 · features."""
    max_length: int = Field(512, gt=0)
    """Maximum number of tokens of a text."""
    num_segments: int = Field(2, ge=0)
    """Number of texts that a sequence may consist of; 0 for no segment embedding."""
    pooler: bool = True
    """Whether the output is one vector: the first token's, through a linear layer and tanh."""
    dropout: float = Field(0.1, ge=0, lt=1)
    """Dropout probability of elements and of attention weights, in training."""

    def architecture(self, x: Spec) -> list[Any]:
        require_axes(x, "T", "bert")
        norm = {"layer_norm": {"eps": 1e-12}}
        blocks = transformer_blocks(
            self.num_layers,
            attention=attention(self.num_heads, dropout=self.dropout),
            feed_forward=feed_forward(self.hidden or 4 * self.features, "gelu"),
            norm=norm,
            norm_first=False,
            dropout=self.dropout,
        )
        layers: list[Any] = [
            {"embedding": self.features},
            {"position_embedding": {"kind": "learned", "max_length": self.max_length}},
        ]
        layers += [{"segment_embedding": self.num_segments}] if self.num_segments else []
        layers += [{"norm": norm}, *dropout(self.dropout), {"blocks": blocks}]
        pooler = {"pooler": ["select_step", {"linear": self.features}, "tanh"]}
        return [*layers, pooler] if self.pooler else layers
