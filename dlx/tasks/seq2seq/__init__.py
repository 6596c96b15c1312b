from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from dlx.component import Component, Named
from dlx.facts import DataFacts
from dlx.layers import Layer
from dlx.losses import Loss
from dlx.metrics import Metric
from dlx.models import Model
from dlx.rules import CheckContext, Problem
from dlx.tasks import Learning, Role, UnfitData
from dlx.tasks._base.masks import mask
from dlx.tasks._supervised.sequence_spec import StepSupervision, worded
from dlx.tasks._supervised.spec import ROLE
from dlx.tensors import TensorSpec, with_context

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn


class Seq2Seq(StepSupervision):
    """Reads one text and writes another, token after token.

    In training the network is shown the target up to each token and says which comes next (teacher forcing); on val and
    test it also writes by itself, by argmax or a beam, and what it wrote is compared with the target. For networks that
    read fields `source` and `target`, such as seq2seq and transformer.

    Shapes:  {source: (S,) tokens, target: (T,) tokens} → (T, vocabulary) scores of the next token of the target.
    Units:   loss is in nats, a mean over all tokens of a split, the end token among them.
    Source:  Sutskever et al. 2014, arXiv:1409.3215.

    Example:
        {type: seq2seq, metrics: [exact_match, accuracy]}
    """

    type: Literal["seq2seq"] = "seq2seq"
    target_kind: ClassVar[str | None] = "tokens"
    loss: Loss = Field("cross_entropy", validate_default=True)  # type: ignore[assignment]
    """What is minimized; each token of the vocabulary is a class."""
    metrics: Named[Metric] = Field({"exact_match": {}}, validate_default=True)  # type: ignore[assignment]
    """What is measured on val and test: of what is written, or, where each token is a sample, of what is said of the
    next token."""
    num_beams: int = Field(1, ge=1)
    """Texts that are continued side by side, of which the most probable is kept; 1 takes the most probable token."""
    length_penalty: float = Field(0.6, ge=0)
    """Of a beam: log-probabilities are divided by ((5 + length) / 6) to this power."""
    max_length: int | None = Field(None, ge=1)
    """Tokens that are written at most; null is the length of the longest target there is."""

    def roles(self, facts: DataFacts) -> dict[str, Role]:
        source, target = facts.fields[facts.inputs[0]], facts.fields["target"]
        steps = None if target.dims[0] is None else target.dims[0] - 1
        seen = target.replace(dims=(steps,))
        varying = {"memory_mask": source, "mask": seen}
        scope = {name: mask(spec) for name, spec in varying.items() if spec.dims[0] is None}
        output = TensorSpec((steps, self.loss.out_features(worded(facts))), "TF", context=scope)
        return {ROLE: Role(with_context({"source": source, "target": seen}, scope), output)}

    def network(self, role: str, model: Model, facts: DataFacts) -> Layer:
        return super().network(role, model, worded(facts))

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super(StepSupervision, self).check(context)
        facts = context.facts
        inputs = [facts.fields[name] for name in facts.inputs]
        if facts.kind != "tokens" or len(inputs) != 1 or not inputs[0].vocab or inputs[0].axes != "T":
            yield UnfitData.at("seq2seq needs one text to read and one to write, as in the source `parallel_text`")

    def target_facts(self, judge: Component, facts: DataFacts) -> DataFacts:
        return facts if isinstance(judge, Metric) and judge.compares_texts else worded(facts)

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.decoding.options import Decoding
        from dlx.tasks.seq2seq.module import Seq2SeqModule

        target = facts.fields["target"]
        longest = self.max_length or target.dims[0] or facts.lengths["target"].max
        beam = Decoding(max_new_tokens=longest, num_beams=self.num_beams, length_penalty=self.length_penalty)
        how = beam if self.num_beams > 1 else Decoding(max_new_tokens=longest, temperature=0.0)
        return Seq2SeqModule(networks, facts, learning, self.loss, self.metrics, how)

    def predictions_table(self, values: Any, facts: DataFacts) -> dict[str, list[Any]]:
        """Return the text that is written for each source."""
        from dlx.tokenizers import restore

        codec = restore(facts.tokenizers["target"])
        return {"prediction": [codec.decode([int(i) for i in row if i]) for row in values]}

    def figures(self, outputs: Any, facts: DataFacts) -> dict[str, Any]:
        from dlx.tasks.seq2seq.figures import draw

        return dict(draw(outputs))
