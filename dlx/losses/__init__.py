"""Loss functions: the function that training minimizes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from dlx.component import Component
from dlx.errors import ShapeError
from dlx.facts import DataFacts, Kind
from dlx.losses._inverse_links import InverseLink
from dlx.rules import CheckContext, Problem, Rule

if TYPE_CHECKING:
    import torch
    from torch import nn


class UnfitLoss(Rule):
    """A loss does not fit this target.

    Losses are for classes, for several labels at once, or for numbers; some are for two classes only.

    Why:      it would compare things that are not of one kind.
    Instead:  leave the loss out, which takes the task's own, or choose one for this target (`dlx list losses`).
    Wrong:    task: {type: classification, loss: huber}
    Right:    task: {type: classification, loss: cross_entropy}
    """

    code: ClassVar[str] = "DLX452"


class Loss(Component):
    """A function of a network's output and the target, which training minimizes.

    The module that `build` returns is called as `loss(output_BK, target)` and returns one number, the mean over the
    batch. Classification targets are class indices (B,) int64, or probabilities (B, K) after mixup, cutmix or label
    smoothing; multi-label targets are (B, K) float 0/1; regression targets are (B, K) float.
    """

    family = "losses"
    inverse_links: ClassVar[Mapping[Kind, InverseLink]] = {"regression": "identity"}
    """Every kind of target that the loss takes ("classes": one of K; "labels": a 0/1 vector; "regression"), with the
    function from the network's output to the prediction of it."""
    probabilistic: ClassVar[bool] = True
    """Whether predictions for classes and labels estimate probabilities, not scores that only rank."""
    accepts_soft_targets: ClassVar[bool] = True
    """Whether the target of a classification may be probabilities, as mixup and cutmix produce them."""
    allows_standardization: ClassVar[bool] = True
    """Whether a regression target may be standardized; not where its own scale has a meaning, as that of counts."""

    def validate_target(self, facts: DataFacts) -> None:
        """Raise ShapeError if the loss does not fit the target."""
        if facts.kind not in self.inverse_links:
            kinds = " or ".join(self.inverse_links)
            raise ShapeError(f"{self.type} is a loss for {kinds} targets, but the target is {facts.kind}")

    def check(self, context: CheckContext) -> Iterable[Problem]:
        facts = context.recipe.task.target_facts(self, context.facts)
        if facts is not None:
            yield from UnfitLoss.unless(lambda: self.validate_target(facts))

    def out_features(self, facts: DataFacts) -> int:
        """Return how many numbers a sample's output must have. Raises: ShapeError as `validate_target` does."""
        self.validate_target(facts)
        if facts.classes:
            return len(facts.classes)
        return facts.fields[facts.target].elements if facts.target else 1

    def build(self, facts: DataFacts) -> nn.Module:
        """Return the torch module. `facts.classes` and `facts.class_counts` describe the target."""
        raise NotImplementedError

    def build_elementwise(self, facts: DataFacts) -> nn.Module:
        """Return the torch module for a class at every position, output (B, K, …) and target (B, …): pixels of masks,
        steps of sequences. Every position that has a class is a sample.
        """
        from dlx.losses._elementwise_torch import ElementwiseLoss

        return ElementwiseLoss(self.build(facts), facts.ignored)

    def mean_weights(self, facts: DataFacts) -> list[float] | None:
        """Return the weight of each class in the mean over samples; None where all samples count the same."""
        return None

    def averages_samples(self, facts: DataFacts) -> bool:
        """Whether the loss is a mean over samples that all count the same."""
        return self.mean_weights(facts) is None and not facts.ignored

    def denominator(self, target: torch.Tensor, facts: DataFacts) -> torch.Tensor | int:
        """Return the denominator of the mean loss of these targets: how many there are, or what their classes weigh."""
        from dlx.losses._targets_torch import total_weight

        return total_weight(target, self.mean_weights(facts))

    def predict(self, output_BK: torch.Tensor, facts: DataFacts) -> torch.Tensor:
        """Return the prediction: probabilities (B, K) of classes or labels, or values in units of the loss's target."""
        from dlx.losses._inverse_links_torch import INVERSE_LINKS

        return INVERSE_LINKS[self.inverse_links[facts.kind]](output_BK)

    def point(self, prediction_BK: Any) -> Any:
        """Return the one value (B, K) for each target that metrics see, where a prediction holds several.

        As in `interval`, predictions are tensors or arrays.
        """
        return prediction_BK

    def interval(self, prediction_BK: Any) -> tuple[Any, Any] | None:
        """Return the prediction interval, its ends (B, K) each; None where the loss makes none."""
        return None

    def prediction_names(self, targets: Sequence[str]) -> list[str]:
        """Return a name for each number of a prediction, given the names of the targets."""
        return list(targets)

    def chance_level(self, facts: DataFacts) -> float | None:
        """Return the loss of giving every class the same probability, where classes are balanced; None if that is not
        defined.
        """
        return None


def decide(prediction_BK: Any, facts: DataFacts) -> Any:
    """Return what a prediction decides: class indices (B, …), labels (B, K) that are more probable than not, or values.

    The prediction is a tensor or an array.
    """
    if facts.kind == "classes":
        return prediction_BK.argmax(1)
    return prediction_BK > DECISION_THRESHOLD if facts.kind == "labels" else prediction_BK


DECISION_THRESHOLD = 0.5  # that of torchmetrics
