from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.component import Component, Named
from dlx.facts import DataFacts
from dlx.losses import Loss
from dlx.metrics import Metric
from dlx.models import Model
from dlx.rules import CheckContext, Problem
from dlx.tasks import Learning, Role, UnfitData, UnfitSetting
from dlx.tasks._supervised.sequence_spec import SequenceTask, with_vocabulary
from dlx.tokenizers import UNK, restore

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn

    from dlx.layers import Layer

METRICS = ("perplexity", "bits_per_character", "bits_per_byte")


class LanguageModeling(SequenceTask):
    """Language modeling: predicts the next token at every token of a text.

    Learns from running text (source `text`), with a causal network, such as gpt or lstm; one that looks ahead is
    refused when training begins. `dlx generate` generates text by a trained one. Beside the loss, in nats a token, it
    measures what does not depend on the tokenizer: bits per character and per byte of the text.

    Shapes:  (T,) tokens → (T, vocabulary) scores of the next token.
    Units:   loss and metrics are means over all tokens of a split; perplexity is e to the mean of −log p.

    Example:
        {type: language_modeling, sample_tokens: 200}
    """

    type: Literal["language_modeling"] = "language_modeling"
    generates_text: ClassVar[bool] = True
    export_refusal: ClassVar[str | None] = "it continues a text token after token, in a loop that is no part of a graph"
    loss: Loss = Field("cross_entropy", validate_default=True)  # type: ignore[assignment]
    """The loss function, which training minimizes; each token of the vocabulary is a class."""
    metrics: Named[Metric] = Field({}, validate_default=True)  # type: ignore[assignment]
    """What else is measured on val and test; each token is a sample."""
    sample_tokens: int = Field(400, ge=0)
    """Tokens that the trained network generates into the run's `sample.txt`; 0 for none."""
    prompt: str | None = None
    """The prompt of that sample; null is a new line or, where the text has none, the end of a document."""

    @property
    def learning_metric(self) -> str:
        return "perplexity"

    def roles(self, facts: DataFacts) -> dict[str, Role]:
        return super().roles(with_vocabulary(facts))

    def network(self, role: str, model: Model, facts: DataFacts) -> Layer:
        return super().network(role, model, with_vocabulary(facts))

    def metric_names(self, facts: DataFacts) -> dict[str, str]:
        return {**super().metric_names(facts), **dict.fromkeys(METRICS, "lower")}

    def check(self, context: CheckContext) -> Iterable[Problem]:
        facts = context.facts
        if facts.kind != "tokens" or facts.target is None or "tokens" not in facts.inputs:
            yield UnfitData.at("language_modeling needs running text: use the source `text`")
            return
        yield from super().check(context)
        if self.prompt is not None:
            (ids,) = restore(facts.tokenizers["tokens"]).encode([self.prompt])
            if UNK in ids:
                yield UnfitSetting.at("the prompt has a token that is nowhere in the train split", "prompt")

    def target_facts(self, component: Component, facts: DataFacts) -> DataFacts:
        return with_vocabulary(facts)

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.tasks.language_modeling.module import LanguageModelingModule

        return LanguageModelingModule(networks, with_vocabulary(facts), learning, self)
