from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts, Kind
from dlx.losses import Loss

if TYPE_CHECKING:
    from torch import nn


class Dice(Loss):
    """How little the area that is answered and the area that is true overlap, averaged over classes.

    For each image and class 1 − (2 Σ p y + s) / (Σ p + Σ y + s) over the pixels, with p = softmax(z). A class counts
    the same however small it is, where cross entropy counts pixels; but its gradient is noisy where an area is tiny,
    for which a share of cross entropy helps.

    Shapes:  output (B, K, H, W), target (B, H, W) indices.
    Units:   0 … 1, plus the weighted cross entropy in nats.
    Source:  Milletari et al. 2016, arXiv:1606.04797, with 2 Σ p y / (Σ p + Σ y) as in Sudre et al. 2017,
             arXiv:1707.03237; the sum with cross entropy as in Isensee et al. 2021, doi:10.1038/s41592-020-01008-z.

    Example:
        {type: dice, cross_entropy: 1.0}
    """

    primary: ClassVar[str] = "cross_entropy"
    kinds: ClassVar[tuple[Kind, ...]] = ("classes",)
    areas: ClassVar[bool] = True
    type: Literal["dice"] = "dice"
    cross_entropy: float = Field(0.0, ge=0)
    """Weight of the cross entropy that is added."""
    smooth: float = Field(1.0, gt=0)
    """Pixels that are added to both areas and to their overlap, so that a class that is not there has a loss too."""
    background: bool = True
    """Whether the first class counts."""

    def build(self, facts: DataFacts) -> nn.Module:
        from dlx.losses.dice.module import DiceLoss

        return DiceLoss(self.cross_entropy, self.smooth, 0 if self.background else 1)
