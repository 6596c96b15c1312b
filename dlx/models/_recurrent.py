"""Recurrent models: a token embedding, recurrent layers and pooling."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from dlx.models import Model
from dlx.models._sequence import Output, pool_steps, to_sequence
from dlx.tensors import Spec


class RecurrentModel(Model):
    """Recurrent network: reads a sequence and gives one vector, or one for each step."""

    primary: ClassVar[str] = "hidden"

    hidden: int = Field(128, gt=0)
    """Width of the state."""
    num_layers: int = Field(1, gt=0)
    """Number of stacked recurrent layers."""
    bidirectional: bool = False
    """Whether the sequence is read from its end as well; the features are then twice as many."""
    embedding_dim: int = Field(100, gt=0)
    """Size of a token's vector; input that is features already needs none."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Probability that an output of a recurrent layer is set to zero in training."""
    output: Output = "last"
    """Pooling of the steps: the last state of each direction, their mean, maximum or attention, or none (steps)."""

    def architecture(self, x: Spec) -> list[Any]:
        cell: dict[str, Any] = {"hidden": self.hidden, "num_layers": self.num_layers, **self.cell()}
        cell["bidirectional"] = self.bidirectional
        cell["dropout"] = self.dropout if self.num_layers > 1 else 0.0
        ends = self.output == "last"  # where each direction ends, which no pooling of steps gives
        cell["output"] = "last" if ends else "steps"
        rest = pool_steps("steps" if ends else self.output, self.dropout)
        return [*to_sequence(x, self.embedding_dim, self.type), {self.type: cell}, *rest]

    def cell(self) -> dict[str, Any]:
        """Return the fields of the recurrent layer that only this kind has."""
        return {}
