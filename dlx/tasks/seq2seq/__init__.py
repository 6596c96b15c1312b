from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from dlx.component import Component, Named
from dlx.decoding.config import GenerationConfig
from dlx.facts import DataFacts
from dlx.layers import Layer
from dlx.losses import Loss
from dlx.metrics import Metric
from dlx.models import Model
from dlx.rules import CheckContext, Problem
from dlx.tasks import Learning, Role, UnfitData
from dlx.tasks._base.masks import mask_spec
from dlx.tasks._supervised.sequence_spec import SequenceTask, with_vocabulary
from dlx.tasks._supervised.spec import ROLE
from dlx.tensors import TensorSpec, with_context

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn


class Seq2Seq(SequenceTask):
    """Sequence to sequence: reads one text and generates another, token after token, as in translation.

    In training the network reads the target up to each token and predicts the next one (teacher forcing); on val and
    test it also generates a text by itself, by greedy or beam search, which is compared with the target. For networks
    that read fields `source` and `target`, such as seq2seq and transformer.

    Shapes:  {source: (S,) tokens, target: (T,) tokens} → (T, vocabulary) logits of the next token of the target.
    Units:   loss is in nats, a mean over all tokens of a split, the end token among them.
    Source:  Sutskever et al. 2014, arXiv:1409.3215.

    Example:
        {type: seq2seq, metrics: [exact_match, accuracy]}
    """

    type: Literal["seq2seq"] = "seq2seq"
    target_kind: ClassVar[str | None] = "tokens"
    export_refusal: ClassVar[str | None] = "it writes a text token after token, in a loop that is no part of a graph"
    loss: Loss = Field("cross_entropy", validate_default=True)  # type: ignore[assignment]
    """The loss function, which training minimizes; each token of the vocabulary is a class."""
    metrics: Named[Metric] = Field({"exact_match": {}}, validate_default=True)  # type: ignore[assignment]
    """What is measured on val and test: of the generated text, or, where each token is a sample, of the predicted next
    token."""
    num_beams: int = Field(1, ge=1)
    """Beam search: hypotheses that are continued side by side; 1 is greedy search."""
    length_penalty: float = Field(0.6, ge=0)
    """Of beam search: log-probabilities are divided by ((5 + length) / 6) to this power."""
    max_length: int | None = Field(None, ge=1)
    """Tokens that are generated at most; null is the length of the longest target."""

    def roles(self, facts: DataFacts) -> dict[str, Role]:
        source, target = facts.fields[facts.inputs[0]], facts.fields["target"]
        steps = None if target.dims[0] is None else target.dims[0] - 1
        seen = target.replace(dims=(steps,))
        varying = {"memory_mask": source, "mask": seen}
        scope = {name: mask_spec(spec) for name, spec in varying.items() if spec.dims[0] is None}
        output = TensorSpec((steps, self.loss.out_features(with_vocabulary(facts))), "TF", context=scope)
        return {ROLE: Role(with_context({"source": source, "target": seen}, scope), output)}

    def network(self, role: str, model: Model, facts: DataFacts) -> Layer:
        return super().network(role, model, with_vocabulary(facts))

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super(SequenceTask, self).check(context)
        facts = context.facts
        inputs = [facts.fields[name] for name in facts.inputs]
        if facts.kind != "tokens" or len(inputs) != 1 or not inputs[0].vocab or inputs[0].axes != "T":
            yield UnfitData.at("seq2seq needs one text to read and one to write, as in the source `parallel_text`")

    def target_facts(self, component: Component, facts: DataFacts) -> DataFacts:
        return facts if isinstance(component, Metric) and component.compares_texts else with_vocabulary(facts)

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.tasks.seq2seq.module import Seq2SeqModule

        return Seq2SeqModule(networks, with_vocabulary(facts), learning, self)

    def generation(self, facts: DataFacts) -> GenerationConfig:
        """Return how texts are generated."""
        length = self.max_length or facts.fields["target"].dims[0] or facts.lengths["target"].max
        if self.num_beams == 1:
            return GenerationConfig(max_new_tokens=length, temperature=0.0)
        return GenerationConfig(max_new_tokens=length, num_beams=self.num_beams, length_penalty=self.length_penalty)

    def predictions_table(self, values: Any, facts: DataFacts) -> dict[str, list[Any]]:
        """Return the text that is generated for each source."""
        from dlx.tokenizers import restore

        codec = restore(facts.tokenizers["target"])
        return {"prediction": [codec.decode([int(i) for i in row if i]) for row in values]}

    def figures(self, outputs: Any, facts: DataFacts) -> dict[str, Any]:
        from dlx.tasks.seq2seq.figures import draw

        return dict(draw(outputs))
