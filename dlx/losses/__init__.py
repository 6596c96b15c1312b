"""Losses: what a task minimizes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from dlx.component import Component
from dlx.errors import ShapeError
from dlx.facts import DataFacts, Kind
from dlx.rules import CheckContext, Problem, Rule

if TYPE_CHECKING:
    import torch
    from torch import nn


class UnfitLoss(Rule):
    """A loss cannot judge this target.

    Losses are for classes, for several labels at once, or for numbers; some are for two classes only.

    Why:      it would compare things that are not of one kind.
    Instead:  leave the loss out, which takes the task's own, or choose one for this target (`dlx list losses`).
    Wrong:    task: {type: classification, loss: huber}
    Right:    task: {type: classification, loss: cross_entropy}
    """

    code: ClassVar[str] = "DLX452"


class Loss(Component):
    """A function of a network's output and the target that is small where they agree.

    The module that `build` makes is called as `loss(output_BK, target)` and returns one number, the mean over the
    batch. Classification targets are class indices (B,) int64, or probabilities (B, K) after mixup, cutmix or
    smoothing; multi-label targets are (B, K) float 0/1; regression targets are (B, K) float.
    """

    family = "losses"
    kinds: ClassVar[tuple[Kind, ...]] = ("regression",)
    """What the target may be: "classes" (one of K), "labels" (0/1 vector), "regression"."""

    soft: ClassVar[bool] = True
    """Whether the target of classes may be probabilities, as mixup and cutmix make them."""
    areas: ClassVar[bool] = False
    """Whether it judges masks as a whole, (B, K, H, W) against (B, H, W); other losses see each pixel as a sample."""
    rescalable: ClassVar[bool] = True
    """Whether a regression target may be standardized; not where its own scale has a meaning, as that of counts."""

    def validate_target(self, facts: DataFacts) -> None:
        """Raise ShapeError if the loss cannot judge this target."""
        if facts.kind not in self.kinds:
            raise ShapeError(f"{self.type} judges {' or '.join(self.kinds)}, but the target is {facts.kind}")

    def check(self, context: CheckContext) -> Iterable[Problem]:
        facts = context.recipe.task.target_facts(self, context.facts)
        if facts is not None:
            yield from UnfitLoss.unless(lambda: self.validate_target(facts))

    def outputs(self, facts: DataFacts) -> int:
        """Return how many numbers a sample's output must have. Raises: ShapeError as `validate_target` does."""
        self.validate_target(facts)
        if facts.classes:
            return len(facts.classes)
        return facts.fields[facts.target].elements if facts.target else 1

    def build(self, facts: DataFacts) -> nn.Module:
        """Make the torch module. `facts.classes` and `facts.class_counts` say what the target is."""
        raise NotImplementedError

    def predict(self, output_BK: torch.Tensor, facts: DataFacts) -> torch.Tensor:
        """Return what the output means: probabilities (B, K) of classes or labels, or values in the target's units."""
        if facts.kind == "regression":
            return output_BK
        return output_BK.sigmoid() if facts.kind == "labels" else output_BK.softmax(1)

    def interval(self, output_BK: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Return lowest and highest value that is expected, (B, K) each, where the output says so."""
        return None

    def chance(self, facts: DataFacts) -> float | None:
        """Return the loss of giving every class the same probability, None if that is not known."""
        return None
