"""Losses: what a task minimizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dlx.component import Component
from dlx.facts import DataFacts

if TYPE_CHECKING:
    from torch import nn


class Loss(Component):
    """A function of a network's output and the target that is small where they agree.

    The module that `build` makes is called as `loss(output_BK, target)` and returns one number, the mean over the batch.
    Classification targets are class indices (B,) int64, or probabilities (B, K) after mixup, cutmix or smoothing; multi-label
    targets are (B, K) float 0/1; regression targets are (B, K) float.
    """

    family = "losses"
    kind: ClassVar[str] = "regression"
    """What the target is: "classes" (one of K), "labels" (0/1 vector), "regression"."""

    def build(self, facts: DataFacts) -> nn.Module:
        """Make the torch module. `facts.classes` and `facts.class_counts` say what the target is."""
        raise NotImplementedError

    def chance(self, facts: DataFacts) -> float | None:
        """Return the loss expected of an untrained network with balanced classes, None if it is not known."""
        return None
