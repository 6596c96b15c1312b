from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts, Kind
from dlx.losses import Loss
from dlx.losses._inverse_links import InverseLink

if TYPE_CHECKING:
    import torch
    from torch import nn


class Dice(Loss):
    """Dice loss: one minus the overlap of predicted and true area, averaged over images and classes.

    For each image and class 1 − (2 Σ p y + s) / (Σ p + Σ y + s) over the pixels, with p = softmax(z). Every class
    counts the same however small its area, where cross-entropy counts pixels; its gradient is noisy where an area is
    tiny, for which an added cross-entropy helps. Pixels without a class count in neither.

    Shapes:  logits (B, K, H, W), target (B, H, W) class indices.
    Units:   0 … 1, plus the weighted cross-entropy in nats.
    Source:  Milletari et al. 2016, arXiv:1606.04797, with 2 Σ p y / (Σ p + Σ y) as in Sudre et al. 2017,
             arXiv:1707.03237; the sum with cross-entropy as in Isensee et al. 2021, doi:10.1038/s41592-020-01008-z.

    Example:
        {type: dice, cross_entropy_weight: 1.0}
    """

    primary: ClassVar[str] = "cross_entropy_weight"
    inverse_links: ClassVar[Mapping[Kind, InverseLink]] = {"classes": "softmax"}
    type: Literal["dice"] = "dice"
    cross_entropy_weight: float = Field(0.0, ge=0)
    """Weight of the cross-entropy that is added."""
    smooth: float = Field(1.0, gt=0)
    """Pixels that are added to both areas and to their overlap, so that an absent class has a loss too."""
    include_background: bool = True
    """Whether the first class counts."""

    def build(self, facts: DataFacts) -> nn.Module:
        from dlx.losses.dice.module import DiceLoss

        return DiceLoss(self.cross_entropy_weight, self.smooth, self.include_background)

    def build_elementwise(self, facts: DataFacts) -> nn.Module:
        return self.build(facts)

    def averages_samples(self, facts: DataFacts) -> bool:
        return True

    def denominator(self, target: torch.Tensor, facts: DataFacts) -> int:
        return len(target)
