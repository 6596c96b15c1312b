from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dlx.initializers import Initializer
from dlx.models import Model
from dlx.models._blocks import dropout
from dlx.models._transformer import attention, feed_forward, require_pair, transformer_blocks
from dlx.tensors import Spec


class Transformer(Model):
    """Transformer (encoder–decoder), as for translation: an encoder reads the source, a decoder writes the target.

    Each step of the decoder sees what it has written so far and, through cross attention, the encoder's memory. By
    default the base model: 6 and 6 blocks, 63 million parameters with a shared vocabulary of 37,000 words.

    Shapes:  {source: (S,), target: (T,)} tokens → (T, vocabulary) scores of the next token, or (T, features) without
             tie_word_embeddings.
    Units:   dropout is a probability.
    Raises:  ShapeError if the fields source and target are not tokens.
    Source:  Vaswani et al. 2017, arXiv:1706.03762.

    Example:
        {type: transformer, features: 16, num_layers: 2, num_heads: 2, hidden: 32}
    """

    type: Literal["transformer"] = "transformer"
    init: Initializer | None = None
    """Initializer of every layer that has no `init` of its own; null is each layer's own."""
    features: int = Field(512, gt=0)
    """Size of every vector."""
    num_layers: int = Field(6, gt=0)
    """Number of blocks of the encoder, and of the decoder."""
    num_heads: int = Field(8, gt=0)
    """Number of attention heads."""
    hidden: int | None = Field(None, gt=0)
    """Hidden size of the feed-forward networks; null is 4 · features."""
    norm_first: bool = False
    """Pre-norm: whether the norm comes before each branch; else after the sum (post-norm), as in the paper."""
    tie_word_embeddings: bool = True
    """Weight tying: whether source, target and output share one table; else each side has its own, and a head."""
    dropout: float = Field(0.1, ge=0, lt=1)
    """Probability that an element of a branch's output is set to zero in training."""

    @property
    def has_head(self) -> bool:
        """Whether the network ends in scores of all words."""
        return self.tie_word_embeddings

    def architecture(self, x: Spec) -> list[Any]:
        require_pair(x, "transformer")
        source, target = self._branch("source", self._blocks()), self._branch("target", self._blocks(decodes=True))
        both = {"provide": {"key": "memory", "layers": source, "then": target}}
        if not self.tie_word_embeddings:
            return [both]
        return [{"tied_embedding": {"features": self.features, "scale_embedding": True, "layers": [both]}}]

    def _branch(self, field: str, blocks: dict[str, Any]) -> list[Any]:
        words = (
            [] if self.tie_word_embeddings else [{"embedding": {"features": self.features, "scale_embedding": True}}]
        )
        start: list[Any] = [{"field": field}, *words, {"position_embedding": "sinusoidal"}, *dropout(self.dropout)]
        return [*start, {"blocks": blocks}, *(["layer_norm"] if self.norm_first else [])]

    def _blocks(self, decodes: bool = False) -> dict[str, Any]:
        return transformer_blocks(
            self.num_layers,
            attention=attention(self.num_heads, causal=decodes),
            cross_attention=attention(self.num_heads, memory="memory") if decodes else None,
            feed_forward=feed_forward(self.hidden or 4 * self.features, "relu"),
            norm_first=self.norm_first,
            dropout=self.dropout,
        )
