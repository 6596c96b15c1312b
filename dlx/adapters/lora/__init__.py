from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.adapters._linear import LinearAdapter
from dlx.layers import LinearMap

if TYPE_CHECKING:
    from torch import nn


class LoRA(LinearAdapter):
    """LoRA (low-rank adaptation): the change of each weight matrix is a product of two thin matrices, which learn.

    y = W x + scale · B A x, of which A is `rank` × inputs and B outputs × `rank`. B begins with zeros, so that the
    first output is that of the pretrained network. The scale is alpha / rank. DoRA learns the length of each row of
    W + B A apart from its direction, which comes nearer to full fine-tuning at small ranks and costs some speed.

    Units:   dropout is a probability; the rank is that of the change.
    Source:  Hu et al. 2021, arXiv:2106.09685; use_rslora: Kalajdzievski 2023, arXiv:2312.03732; use_dora: Liu et al.
             2024, arXiv:2402.09353; the names of the peft library.

    Example:
        {type: lora, rank: 2, alpha: 4, layers: body}
    """

    type: Literal["lora"] = "lora"
    rank: int = Field(8, gt=0)
    """Rank of the change of a weight matrix."""
    alpha: float = Field(16.0, gt=0)
    """The change is multiplied by alpha / rank."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Probability that a number that enters A is set to zero in training."""
    use_rslora: bool = False
    """Whether the change is multiplied by alpha / √rank instead, which keeps its size as ranks grow."""
    use_dora: bool = False
    """Weight decomposition: whether the lengths of the rows of W + B A learn apart from their directions."""

    def added_parameters(self, linear: LinearMap) -> int:
        return self.rank * (linear.inputs + linear.outputs) + self.use_dora * linear.outputs

    def build(self, linear: nn.Linear) -> nn.Module:
        from dlx.adapters.lora.module import LowRank, WeightDecomposed

        scale = self.alpha / (self.rank**0.5 if self.use_rslora else self.rank)
        return (WeightDecomposed if self.use_dora else LowRank)(linear, self.rank, scale, self.dropout)
