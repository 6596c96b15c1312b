from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dlx.layers import Layer
from dlx.models import Model
from dlx.models._blocks import dropout
from dlx.models._transformer import require_pair
from dlx.tensors import Spec


class Seq2Seq(Model):
    """Seq2seq: a recurrent encoder–decoder with attention, which reads one sequence and writes another.

    The encoder's states are a memory to which the decoder attends at every step, so that no single vector has to hold a
    whole sentence. In training the decoder reads the target, one step late (teacher forcing), and in generation what it
    has written itself.

    Shapes:  {source: (S,) tokens, target: (T,) tokens} → (T, hidden of the cell).
    Units:   dropout is a probability.
    Raises:  ShapeError if the fields source and target are missing or hold no tokens.
    Source:  Bahdanau et al. 2015, arXiv:1409.0473; Luong et al. 2015, arXiv:1508.04025; Sutskever et al. 2014.

    Example:
        {type: seq2seq, embedding_dim: 16, encoder: {gru: {hidden: 16, bidirectional: true}}, cell: {gru: 24}}
    """

    type: Literal["seq2seq"] = "seq2seq"
    embedding_dim: int = Field(256, gt=0)
    """Size of a token's vector."""
    encoder: Layer = Field(default={"gru": {"hidden": 256, "bidirectional": True}}, validate_default=True)
    """The encoder, from embeddings to the memory; a list is sequential."""
    cell: Layer = Field(default={"gru": 256}, validate_default=True)
    """The recurrent layer of the decoder."""
    attention: Literal["bahdanau", "luong"] = "bahdanau"
    """Additive attention before each step, or multiplicative attention after it, which is faster."""
    initial_state: Literal["mean", "backward", "last"] = "mean"
    """From which part of the memory the decoder's initial state is computed: its mean; backward, as Bahdanau does; or
    its last step, as Luong does.
    """
    input_feeding: bool = False
    """Input feeding, with luong: whether the cell also reads the decoder's output of the step before."""
    share_embeddings: bool = False
    """Whether source and target share one embedding table, where they have one vocabulary."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Probability that an element of a vector is set to zero in training, of tokens and of the output."""

    def architecture(self, x: Spec) -> list[Any]:
        require_pair(x, self.type)
        drop = dropout(self.dropout)
        table: list[Any] = [{"embedding": self.embedding_dim}]
        own, shared = ([], table) if self.share_embeddings else (table, [])
        options: dict[str, Any] = {"input_feeding": True} if self.input_feeding else {}
        options |= {} if self.initial_state == "mean" else {"initial_state": self.initial_state}
        decoder = {"recurrent_decoder": {"cell": self.cell, "attention": self.attention, **options}}
        memory = {
            "key": "memory",
            "layers": [{"field": "source"}, *own, *drop, self.encoder],
            "then": [{"field": "target"}, *own, *drop, decoder, *drop],
        }
        return [*shared, {"provide": memory}]
