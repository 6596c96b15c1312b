from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from dlx.baselines import BaselineProblem
from dlx.component import Named
from dlx.facts import DataFacts
from dlx.losses import Loss
from dlx.metrics import Metric
from dlx.rules import CheckContext, Problem
from dlx.tasks import Learning, UnfitData
from dlx.tasks._supervised.spec import SupervisedTask

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn


class Classification(SupervisedTask):
    """Classification: predicts the class of a sample, or its labels where several may be true at once (multi-label).

    The network returns one logit a class; probabilities are their softmax, or each one's sigmoid for labels. A target
    of several 0/1 columns makes it multi-label.

    Shapes:  input → (K,) for K classes, also where K = 2.

    Example:
        {type: classification, metrics: [accuracy]}
    """

    type: Literal["classification"] = "classification"
    target_kind: ClassVar[str | None] = "classes"
    loss: Loss = Field("cross_entropy", validate_default=True)  # type: ignore[assignment]
    """The loss function, which training minimizes."""
    metrics: Named[Metric] = Field({"accuracy": {}}, validate_default=True)  # type: ignore[assignment]
    """What is measured on val and test."""

    def check(self, context: CheckContext) -> Iterable[Problem]:
        facts = context.facts
        if len(facts.classes) < 2 and not facts.multilabel:
            yield UnfitData.at(f"classification needs at least two classes, but the target has {len(facts.classes)}")
        elif facts.fields["target"].axes == "HW":
            yield UnfitData.at("classification gives one class a sample, but the target is a mask: use segmentation")
        else:
            yield from super().check(context)

    def baseline_problem(self, facts: DataFacts) -> BaselineProblem | None:
        return BaselineProblem("labels" if facts.kind == "labels" else "classes", facts)

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.tasks._supervised.module import SupervisedModule

        return SupervisedModule(networks, facts, learning, self)

    def figures(self, outputs: Any, facts: DataFacts) -> dict[str, Any]:
        from dlx.tasks.classification.figures import draw

        return dict(draw(outputs, facts))
