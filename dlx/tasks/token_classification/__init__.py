from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from dlx.component import Named
from dlx.facts import DataFacts
from dlx.losses import Loss
from dlx.metrics import Metric
from dlx.rules import CheckContext, Problem
from dlx.tasks import Learning, UnfitData
from dlx.tasks._supervised.sequence_spec import SequenceTask

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn


class TokenClassification(SequenceTask):
    """Token classification: predicts the class of every token of a text, such as parts of speech or named entities.

    Each real token is a sample of loss and metrics; padding counts nowhere. The network must keep the steps apart.

    Shapes:  (T,) tokens, or (T, F) → (T, K) for K classes; the target is a class for each step, (T,).

    Example:
        {type: token_classification, metrics: [accuracy, f1]}
    """

    type: Literal["token_classification"] = "token_classification"
    target_kind: ClassVar[str | None] = "classes"
    loss: Loss = Field("cross_entropy", validate_default=True)  # type: ignore[assignment]
    """The loss function, which training minimizes."""
    metrics: Named[Metric] = Field({"accuracy": {}, "f1": {}}, validate_default=True)  # type: ignore[assignment]
    """What is measured on val and test; each token is a sample."""

    def check(self, context: CheckContext) -> Iterable[Problem]:
        facts = context.facts
        if facts.fields["target"].axes != "T" or not facts.classes:
            yield UnfitData.at(f"token_classification needs a class for every token, but the target is {facts.kind}")
        else:
            yield from super().check(context)

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.tasks.token_classification.module import TokenClassificationModule

        return TokenClassificationModule(networks, facts, learning, self)

    def predictions_table(self, values: Any, facts: DataFacts) -> dict[str, list[Any]]:
        """Return the classes of each text's tokens, with a space between."""
        known = [[int(code) for code in row if code >= 0] for row in values]
        return {"prediction": [" ".join(facts.classes[code] for code in row) for row in known]}

    def figures(self, outputs: Any, facts: DataFacts) -> dict[str, Any]:
        from dlx.tasks.token_classification.figures import draw

        return dict(draw(outputs, facts))
