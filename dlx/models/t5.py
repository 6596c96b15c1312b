from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from dlx.initializers import Initializer
from dlx.layers import Layer
from dlx.models import Model
from dlx.models._blocks import dropout
from dlx.models._published.t5 import t5_names
from dlx.models._transformer import attention, feed_forward, require_pair, transformer_blocks
from dlx.name_maps import NameMap
from dlx.tensors import Spec


class T5(Model):
    """T5: an encoder–decoder transformer whose positions are relative biases alone.

    Linear maps have no biases, norms are RMS norms, attention scores are not scaled, and all blocks of a side share one
    relative position bias. By default the small model: 60,506,624 parameters with its vocabulary of 32,128. Version 1.1
    has `activation: {gelu: {approximate: tanh}}`, `gated: true` and `tie_word_embeddings: false`.

    Shapes:  {source: (S,), target: (T,)} tokens → (T, vocabulary) scores of the next token, or (T, features) without
             tie_word_embeddings.
    Units:   dropout is a probability.
    Raises:  ShapeError if the fields source and target are not tokens.
    Source:  Raffel et al. 2020, arXiv:1910.10683; initialization as in its code: embeddings of variance 1, linear maps
             of variance 1 / inputs, queries of variance 1 / (features · head_dim), so that scores have a variance near
             1. Deviation: without tie_word_embeddings the two sides have tables of their own.

    Example:
        {type: t5, features: 16, num_layers: 2, num_heads: 2, head_dim: 8, hidden: 32}
    """

    type: Literal["t5"] = "t5"
    init: Initializer | None = Field(default="lecun_normal", validate_default=True)
    """Initializer of every linear map, of which queries start 1 / √head_dim as large; null is each layer's own."""
    features: int = Field(512, gt=0)
    """Size of every vector."""
    num_layers: int = Field(6, gt=0)
    """Number of blocks of the encoder, and of the decoder."""
    num_heads: int = Field(8, gt=0)
    """Number of attention heads."""
    head_dim: int = Field(64, gt=0)
    """Features of a head."""
    hidden: int = Field(2048, gt=0)
    """Hidden size of the feed-forward networks."""
    num_buckets: int = Field(32, ge=4)
    """Number of buckets of the relative position bias."""
    max_distance: int = Field(128, gt=1)
    """Distance from which on all share one bucket."""
    activation: Layer = Field(default="relu", validate_default=True)
    """Activation of the feed-forward networks."""
    gated: bool = False
    """Gated linear unit: whether the activation is multiplied by a second linear map."""
    tie_word_embeddings: bool = True
    """Weight tying: whether source, target and output share one table; else each side has its own, and a head."""
    dropout: float = Field(0.1, ge=0, lt=1)
    """Probability that an element is set to zero in training."""

    @property
    def has_head(self) -> bool:
        """Whether the network ends in scores of all words."""
        return self.tie_word_embeddings

    def name_maps(self) -> Mapping[str, NameMap]:
        return t5_names(self.tie_word_embeddings)

    def architecture(self, x: Spec) -> list[Any]:
        require_pair(x, "t5")
        both = {
            "provide": {"key": "memory", "layers": self._branch("source"), "then": self._branch("target", decodes=True)}
        }
        if not self.tie_word_embeddings:
            return [both]
        table = {"features": self.features, "logit_scale": self.features**-0.5, "layers": [both]}
        return [{"tied_embedding": {**table, **self._init_field("embedding_init", {"normal": 1.0})}}]

    def _branch(self, field: str, decodes: bool = False) -> list[Any]:
        embedding = {"features": self.features, **self._init_field("init", {"normal": 1.0})}
        words = [] if self.tie_word_embeddings else [{"embedding": embedding}]
        bias = {"num_heads": self.num_heads, "num_buckets": self.num_buckets, "max_distance": self.max_distance}
        bias |= self._init_field("init", {"normal": self.features**-0.5})
        shared = {
            "key": "distances",
            "each_step": True,
            "layers": [{"relative_bias": {**bias, "causal": True} if decodes else bias}],
            "then": [{"blocks": self._blocks(decodes)}, {"norm": "rms_norm"}],
        }
        return [{"field": field}, *words, *dropout(self.dropout), {"provide": shared}, *dropout(self.dropout)]

    def _init_field(self, field: str, initializer: Any) -> dict[str, Any]:
        """Return a field with the paper's initializer of a layer; nothing where `init` is null."""
        return {} if self.init is None else {field: initializer}

    def _blocks(self, decodes: bool) -> dict[str, Any]:
        same = {"head_dim": self.head_dim, "scale": 1.0, "bias": False, "dropout": self.dropout}
        same |= self._init_field("query_init", {"scaled": {"of": self.init, "factor": self.head_dim**-0.5}})
        return transformer_blocks(
            self.num_layers,
            attention=attention(self.num_heads, causal=decodes, position_bias="distances", **same),
            cross_attention=attention(self.num_heads, memory="memory", **same) if decodes else None,
            feed_forward=feed_forward(self.hidden, self.activation, self.dropout, self.gated, bias=False),
            norm="rms_norm",
            dropout=self.dropout,
        )
