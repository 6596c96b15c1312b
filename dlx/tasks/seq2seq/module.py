"""Sequence to sequence: a network reads a text and generates another.

B batch, S steps of the source, T steps of the target without its end, V vocabulary, H heads, N tokens of a batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from dlx.decoding.sampling import generate
from dlx.decoding.stepwise import StepwiseDecoder
from dlx.facts import DataFacts
from dlx.metrics import Metric
from dlx.nn.context import Cache, apply
from dlx.nn.protocols import Batch, CrossAttentionWeights
from dlx.tasks import MASK, Learning
from dlx.tasks._base.meters import build_meters, meters_by_name
from dlx.tasks._supervised.sequence_module import SequenceModule
from dlx.tokenizers import BOS, EOS, PAD, restore

if TYPE_CHECKING:
    from dlx.tasks.seq2seq import Seq2Seq

ATTENTION_TEXTS = 4  # texts whose attention is drawn
EXAMPLES = 30  # texts that are written down to be read

AttentionMap = tuple[list[str], list[str], np.ndarray]
"""Tokens of a source, generated tokens, and the attention (T, S)."""


@dataclass
class Translations:
    """Texts of a test: source, what was generated, and the target; and the attention in some of them."""

    rows: list[int] = field(default_factory=list)
    texts: list[tuple[str, str, str]] = field(default_factory=list)
    attention: list[AttentionMap] = field(default_factory=list)

    def join(self, other: Translations) -> None:
        """Add those of another process."""
        self.rows += other.rows
        self.texts += other.texts

    def finalize(self, inputs: Mapping[str, Any], identity: Mapping[str, Any]) -> Translations:
        """Return itself."""
        return self


class Seq2SeqModule(SequenceModule):
    """One network that reads a source and gives logits of the next token of a target (teacher forcing)."""

    figure_samples = 16
    task: Seq2Seq
    outputs: Translations

    def __init__(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: Seq2Seq) -> None:
        super().__init__(networks, facts, learning, task)
        self.config = task.generation(facts)
        self.source = facts.inputs[0]
        self._text_metrics = build_meters(_metrics(task, of_texts=True), facts)
        self.source_codec, self.target_codec = (restore(facts.tokenizers[name]) for name in (self.source, "target"))

    def build_meters(self) -> nn.ModuleDict:
        return build_meters(_metrics(self.task, of_texts=False), self.facts)

    def input_of(self, batch: Batch) -> dict[str, Tensor]:
        return {"source": batch[self.source], "target": batch["target"][:, :-1]}

    def context_of(self, batch: Batch) -> dict[str, Any]:
        masks = {"memory_mask": batch.get(self.source + MASK)}
        if "target" + MASK in batch:
            masks["mask"] = batch["target" + MASK][:, 1:]  # a token is shown if there is one after it
        return {name: mask for name, mask in masks.items() if mask is not None}

    def loss_target(self, batch: Batch) -> Tensor:
        return self.select_steps(batch["target"][:, 1:], batch)  # what comes after each token

    def select_steps(self, values_BT: Tensor, batch: Batch) -> Tensor:
        mask_BT = batch.get("target" + MASK)
        return values_BT.flatten(0, 1) if mask_BT is None else values_BT[mask_BT[:, 1:]]

    # -- text generation ----------------------------------------------------------------------------------------------

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the generated tokens (B, max_new_tokens), padded."""
        length = self.config.max_new_tokens
        return torch.tensor([tokens + [PAD] * (length - len(tokens)) for tokens in self.generate(batch)])

    @torch.no_grad()
    def generate(self, batch: Batch) -> list[list[int]]:
        """Return the tokens that the network generates for each source, without begin and end."""
        source_BS, mask_BS = batch[self.source], batch.get(self.source + MASK)

        def forward(new_BT: Tensor, cache: Cache) -> Tensor:
            beams = len(new_BT) // len(source_BS)
            context: dict[str, Any] = {"cache": cache}
            if mask_BS is not None:
                context["memory_mask"] = mask_BS.repeat_interleave(beams, 0)
            x = {"source": source_BS.repeat_interleave(beams, 0), "target": new_BT}
            return apply(self.networks[self.role], x, context)  # type: ignore[no-any-return]

        begin_B1 = torch.full((len(source_BS), 1), BOS, device=source_BS.device)
        return generate(StepwiseDecoder(forward), begin_B1, self.config)

    # -- evaluation ---------------------------------------------------------------------------------------------------

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.evaluate_batch(batch)
        if self._text_metrics:
            self._evaluate_texts(batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self.evaluate_batch(batch)
        generated, targets = self._evaluate_texts(batch)
        for i in range(min(EXAMPLES - len(self.outputs.rows), len(targets))):
            self.outputs.rows.append(int(batch["rows"][i]))
            source = [token for token in batch[self.source][i].tolist() if token]
            text, target = (self.target_codec.decode(tokens[i]) for tokens in (generated, targets))
            self.outputs.texts.append((self.source_codec.decode(source), text, target))
        if batch_idx == 0:
            first = {name: value[:ATTENTION_TEXTS] for name, value in batch.items()}
            self.outputs.attention = self.attention(first, generated[:ATTENTION_TEXTS])

    def _evaluate_texts(self, batch: Batch) -> tuple[list[list[int]], list[list[int]]]:
        """Update the metrics of texts; return what was generated, and the targets."""
        generated = self.generate(batch)
        targets = [[token for token in ids if token not in (PAD, BOS, EOS)] for ids in batch["target"].tolist()]
        for meter in meters_by_name(self._text_metrics).values():
            meter.update(generated, targets)
        return generated, targets

    def compute_metrics(self, split: str) -> dict[str, Tensor]:
        of_texts = {f"{split}/{name}": meter.compute() for name, meter in meters_by_name(self._text_metrics).items()}
        return {**super().compute_metrics(split), **of_texts}

    def reset_metrics(self) -> None:
        super().reset_metrics()
        for meter in meters_by_name(self._text_metrics).values():
            meter.reset()

    def new_outputs(self) -> Translations:
        return Translations()

    def generated_texts(self) -> dict[str, str]:
        """Return some of the texts generated on the test split."""
        blocks = [f"{source}\n→ {generated}\n= {target}\n" for source, generated, target in self.outputs.texts]
        return {"generated": "\n".join(blocks)} if blocks else {}

    @torch.no_grad()
    def attention(self, batch: Batch, generated: list[list[int]]) -> list[AttentionMap]:
        """Return the attention to the source of each generated text, the mean over heads.

        Of several layers that with the most concentrated attention is taken.
        """
        layers = [m for m in self.networks.modules() if isinstance(m, CrossAttentionWeights) and m.memory == "memory"]
        if not layers:
            return []
        found = []
        for i, tokens in enumerate(generated):
            source = [token for token in batch[self.source][i].tolist() if token]
            x = {"source": source, "target": [BOS, *tokens]}
            maps = self._attention_maps(
                {name: torch.tensor([ids], device=self.device) for name, ids in x.items()}, layers
            )
            share_TS = max(maps, key=lambda m: float(m.amax(1).mean()))
            written = [self.target_codec.tokens[token] for token in [*tokens, EOS]]
            found.append(([self.source_codec.tokens[token] for token in source], written, share_TS.cpu().numpy()))
        return found

    def _attention_maps(self, x: dict[str, Tensor], layers: Sequence[CrossAttentionWeights]) -> list[Tensor]:
        """Return the attention (T, S) of each of the layers, the mean over its heads."""
        for layer in layers:
            layer.store_attention = True
        try:
            apply(self.networks[self.role], x, {})
            found = [layer.attention_weights for layer in layers]
            return [weights_BHTS[0].mean(0).float() for weights_BHTS in found if weights_BHTS is not None]
        finally:
            for layer in layers:
                layer.store_attention = False


def _metrics(task: Seq2Seq, of_texts: bool) -> dict[str, Metric]:
    """Return the metrics that compare whole texts, or those of which each token is a sample."""
    return {name: metric for name, metric in task.metrics.items() if metric.compares_texts == of_texts}
