from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from dlx.initializers import Initializer
from dlx.layers import Layer, require_axes
from dlx.models import Model
from dlx.models._blocks import dropout
from dlx.models._published.gpt import gpt2_names, llama_names
from dlx.models._transformer import attention, feed_forward, transformer_blocks
from dlx.name_maps import NameMap
from dlx.tensors import Spec


class GPT(Model):
    """GPT: a decoder-only transformer for language modeling; each token attends to itself and earlier tokens only.

    By default the small GPT-2: 124,439,808 parameters with its vocabulary of 50,257 and 1,024 tokens. A model after
    LLaMA has `norm: rms_norm`, `position_embedding: rope`, `activation: silu`, `gated: true`, `bias: false` and
    `tie_word_embeddings: false`.

    Shapes:  (T,) tokens → (T, vocabulary) scores of the next token, or (T, features) without tie_word_embeddings.
    Units:   dropout is a probability.
    Raises:  ShapeError if there are no tokens, or the length of learned positions is unknown.
    Source:  Radford et al. 2019; alibi: Press et al. 2022, arXiv:2108.12409; rope, rms_norm and SwiGLU: Touvron et al.
             2023, arXiv:2302.13971.

    Example:
        {type: gpt, features: 16, num_layers: 2, num_heads: 2}
    """

    type: Literal["gpt"] = "gpt"
    init: Initializer | None = Field(default="normal", validate_default=True)
    """Initializer of every layer that has no `init` of its own."""
    scale_init: bool = True
    """Whether the last linear map of each residual branch is initialized smaller, by 1 / √(2 · num_layers), so that the
    sum of all branches keeps its size; nothing where `init` is null."""
    features: int = Field(768, gt=0)
    """Size of every vector."""
    num_layers: int = Field(12, gt=0)
    """Number of transformer blocks."""
    num_heads: int = Field(12, gt=0)
    """Number of attention heads."""
    num_kv_heads: int | None = Field(None, gt=0)
    """Grouped-query attention: number of heads of keys and values; null makes num_heads."""
    hidden: int | None = Field(None, gt=0)
    """Size between the maps of a block; null is 4 · features, if gated two thirds of that in steps of 8."""
    max_length: int | None = Field(None, gt=0)
    """Number of learned positions; null takes the length of the data's sequences."""
    position_embedding: Literal["learned", "sinusoidal", "rope", "alibi", "none"] = "learned"
    """Position embedding: added vectors, rotation of queries and keys, linear biases of the scores, or none."""
    norm: Layer = Field(default="layer_norm", validate_default=True)
    """The norm of each residual branch and of the output."""
    activation: Layer = Field(default={"gelu": {"approximate": "tanh"}}, validate_default=True)
    """Activation of the feed-forward networks."""
    gated: bool = False
    """Gated linear unit: whether the activation is multiplied by a second linear map (SwiGLU, GEGLU)."""
    bias: bool = True
    """Whether linear maps have a bias."""
    sliding_window: int | None = Field(None, gt=0)
    """Number of tokens that a token attends to, itself included; null is all."""
    tie_word_embeddings: bool = True
    """Weight tying: whether the token embedding also computes the logits; else the task's head does."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout probability of elements and of attention weights, in training."""

    @property
    def has_head(self) -> bool:
        """Whether the network ends in scores of all words."""
        return self.tie_word_embeddings

    def name_maps(self) -> Mapping[str, NameMap]:
        if self.gated and self.position_embedding == "rope":
            return llama_names(self.tie_word_embeddings)
        is_gpt2 = not self.gated and self.position_embedding == "learned"
        return gpt2_names(self.tie_word_embeddings) if is_gpt2 else {}

    def architecture(self, x: Spec) -> list[Any]:
        require_axes(x, "T", "gpt")
        body: list[Any] = [*self._positions(), *dropout(self.dropout), {"blocks": self._blocks()}, self.norm]
        if self.tie_word_embeddings:
            return [{"tied_embedding": {"features": self.features, "layers": body}}]
        return [{"embedding": self.features}, *body]

    def _positions(self) -> list[Any]:
        if self.position_embedding in ("rope", "alibi", "none"):
            return []
        length = {"max_length": self.max_length} if self.max_length else {}
        return [{"position_embedding": {"kind": self.position_embedding, **length}}]

    def _blocks(self) -> dict[str, Any]:
        attend = attention(
            self.num_heads,
            num_kv_heads=self.num_kv_heads,
            causal=True,
            sliding_window=self.sliding_window,
            rope=self.position_embedding == "rope",
            alibi=self.position_embedding == "alibi",
            bias=self.bias,
            dropout=self.dropout,
            out_init=self._residual_init(),
        )
        hidden = self.hidden or (-(-self.features // 3) * 8 if self.gated else 4 * self.features)
        feed = feed_forward(hidden, self.activation, gated=self.gated, bias=self.bias, out_init=self._residual_init())
        return transformer_blocks(
            self.num_layers, attention=attend, feed_forward=feed, norm=self.norm, dropout=self.dropout
        )

    def _residual_init(self) -> dict[str, Any] | None:
        """Return the initializer of the last map of a branch; None where it is that of all others."""
        if self.init is None or not self.scale_init:
            return None
        return {"scaled": {"of": self.init, "factor": (2 * self.num_layers) ** -0.5}}
