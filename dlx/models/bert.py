from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from dlx.initializers import Initializer
from dlx.layers import require_axes
from dlx.models import Model
from dlx.models._blocks import dropout
from dlx.models._published.bert import NAMES
from dlx.models._transformer import attention, feed_forward, transformer_blocks
from dlx.name_maps import NameMap
from dlx.rules import CheckContext, Problem, Rule, Severity
from dlx.tensors import Spec


class NoFirstToken(Rule):
    """The pooler of BERT reads the first token, but texts have no special token in front.

    The published BERT begins every text with [CLS], whose vector gathers features of the whole text. Without special
    tokens the first token is the first word.

    Why:      the vector of the text is then that of its first word, which trains worse.
    Instead:  data.special_tokens: true puts a token in front; or `pooler: false` with a pooling of all tokens.
    Wrong:
        data: {source: {delayed_recall: {n_samples: 100}}}
        model: {bert: {features: 8, num_layers: 1, num_heads: 2}}
    Right:
        data: {source: {delayed_recall: {n_samples: 100}}, special_tokens: true}
        model: {bert: {features: 8, num_layers: 1, num_heads: 2}}
    """

    code: ClassVar[str] = "DLX513"
    severity: ClassVar[Severity] = "warning"


class BERT(Model):
    """BERT: a transformer encoder of text, in which every token attends to all others.

    By default the base model: 109,482,240 parameters with a vocabulary of 30,522. With the pooler it gives one vector
    of the first token, for a whole text, which `data.special_tokens` puts in front as BERT's [CLS]; without it one for
    each token.

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

    def check(self, context: CheckContext) -> Iterable[Problem]:
        texts = context.facts.tokenizers
        if self.pooler and texts and not any(text.get("ends") for text in texts.values()):
            note = "the pooler reads the first token of a text, which is its first word here"
            yield NoFirstToken.at(f"{note}; data.special_tokens: true puts a special token in front", "pooler")

    def name_maps(self) -> Mapping[str, NameMap]:
        return NAMES

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
