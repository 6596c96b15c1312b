"""Reading a text and writing another.

B batch, S steps of the source, T steps of the target without its end, V vocabulary, H heads, N tokens of a batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlx.decoding.options import Decoding
from dlx.decoding.search import Reader, write_whole
from dlx.facts import DataFacts
from dlx.losses import Loss
from dlx.metrics import Metric
from dlx.nn.context import Cache, apply
from dlx.nn.protocols import AttentionWeights
from dlx.tasks import MASK, STEPS, Learning
from dlx.tasks._base.optimizer_step import Batch
from dlx.tasks._supervised.module import built, by_name
from dlx.tasks._supervised.sequence_module import StepsModule
from dlx.tasks._supervised.sequence_spec import worded
from dlx.tokenizers import BOS, EOS, PAD, restore

MAPS = 4  # texts whose attention is drawn
SHOWN = 30  # texts that are kept to be read


@dataclass
class Written:
    """Texts that were written, to be looked at: source, what was written, and what was wanted; maps of attention."""

    rows: list[int] = field(default_factory=list)
    texts: list[tuple[str, str, str]] = field(default_factory=list)
    maps: list[tuple[list[str], list[str], np.ndarray]] = field(default_factory=list)

    def join(self, other: Written) -> None:
        """Add what another process wrote."""
        self.rows += other.rows
        self.texts += other.texts

    def joined(self, arrays: Mapping[str, Any]) -> Written:
        """Return itself."""
        return self


class Seq2SeqModule(StepsModule):
    """One network that reads a source and scores the next token of a target.

    how  how it writes by itself
    """

    figure_samples = 16

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        facts: DataFacts,
        learning: Learning,
        loss: Loss,
        metrics: Mapping[str, Metric],
        how: Decoding,
    ) -> None:
        steps = {name: metric for name, metric in metrics.items() if not metric.compares_texts}
        super().__init__(networks, worded(facts), learning, loss, steps)
        self.how = how
        self.source = facts.inputs[0]
        self._of_texts = built({name: metric for name, metric in metrics.items() if metric.compares_texts}, facts)
        self.outputs: Any = Written()
        self.reads, self.writes = (restore(facts.tokenizers[name]) for name in (self.source, "target"))

    def input_of(self, batch: Batch) -> dict[str, Tensor]:
        return {"source": batch[self.source], "target": batch["target"][:, :-1]}

    def context_of(self, batch: Batch) -> dict[str, Any]:
        masks = {"memory_mask": batch.get(self.source + MASK)}
        if "target" + MASK in batch:
            masks["mask"] = batch["target" + MASK][:, 1:]  # a token is shown if there is one after it
        return {name: mask for name, mask in masks.items() if mask is not None}

    def counted(self, batch: Batch) -> Tensor:
        return (batch[STEPS] - 1).sum()  # nothing comes after the last token

    def steps(self, scores_BTV: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        next_BT = batch["target"][:, 1:]
        real_BT = batch["target" + MASK][:, 1:] if "target" + MASK in batch else torch.ones_like(next_BT).bool()
        return scores_BTV[real_BT], next_BT[real_BT]

    def compare(self, prediction: Tensor, target: Tensor) -> None:
        """Count only where metrics are asked for: the shares of a whole vocabulary are many numbers."""
        if self.meters:
            super().compare(prediction, target)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return what is written (B, max_new_tokens), padded."""
        return torch.tensor([text + [PAD] * (self.how.max_new_tokens - len(text)) for text in self.write(batch)])

    @torch.no_grad()
    def write(self, batch: Batch) -> list[list[int]]:
        """Return what the network writes for each source, without begin and end."""
        source_BS, mask_BS = batch[self.source], batch.get(self.source + MASK)

        def run(new_BT: Tensor, cache: Cache) -> Tensor:
            each = len(new_BT) // len(source_BS)  # texts of a beam
            context: dict[str, Any] = {"cache": cache}
            if mask_BS is not None:
                context["memory_mask"] = mask_BS.repeat_interleave(each, 0)
            x = {"source": source_BS.repeat_interleave(each, 0), "target": new_BT}
            return apply(self.networks[self.role], x, context)  # type: ignore[no-any-return]

        begin_B1 = torch.full((len(source_BS), 1), BOS, device=source_BS.device)
        return write_whole(Reader(run), begin_B1, self.how)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        written = self._judged(batch, writes=True)
        count = SHOWN - len(self.outputs.rows)
        wanted = _wanted(batch)
        for i in range(min(count, len(wanted))):
            self.outputs.rows.append(int(batch["rows"][i]))
            source = [token for token in batch[self.source][i].tolist() if token]
            said = (self.reads.decode(source), self.writes.decode(written[i]), self.writes.decode(wanted[i]))
            self.outputs.texts.append(said)
        if batch_idx == 0:
            self.outputs.maps = self.maps({name: value[:MAPS] for name, value in batch.items()}, written[:MAPS])

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._judged(batch, writes=bool(self._of_texts))

    def measured(self, split: str) -> dict[str, Tensor]:
        whole = {f"{split}/{name}": meter.compute() for name, meter in by_name(self._of_texts).items()}
        return {**super().measured(split), **whole}

    def on_test_epoch_start(self) -> None:
        super().on_test_epoch_start()
        self.outputs = Written()

    def generated_texts(self) -> dict[str, str]:
        """Return some of what was written on the test split, to be read."""
        blocks = [f"{source}\n→ {said}\n= {true}\n" for source, said, true in self.outputs.texts]
        return {"written": "\n".join(blocks)} if blocks else {}

    @torch.no_grad()
    def maps(self, batch: Batch, written: list[list[int]]) -> list[tuple[list[str], list[str], np.ndarray]]:
        """Return the tokens of each source, what was written, and which share of attention lay where, (T, S).

        Of several layers the one that looks most firmly is taken, and the mean over its heads.
        """
        looking = [
            m
            for m in self.networks.modules()
            if isinstance(m, AttentionWeights) and getattr(m, "memory", None) == "memory"
        ]
        if not looking:
            return []
        found = []
        for i, text in enumerate(written):
            source = [token for token in batch[self.source][i].tolist() if token]
            x = {"source": source, "target": [BOS, *text]}
            maps = self._looked({name: torch.tensor([ids], device=self.device) for name, ids in x.items()}, looking)
            share_TS = max(maps, key=lambda m: float(m.amax(1).mean()))
            ends = [self.writes.tokens[token] for token in [*text, EOS]]
            found.append(([self.reads.tokens[token] for token in source], ends, share_TS.cpu().numpy()))
        return found

    def _looked(self, x: dict[str, Tensor], looking: list[Any]) -> list[Tensor]:
        """Return the attention (T, S) of each of the modules, the mean over its heads."""
        for module in looking:
            module.store_attention = True
        try:
            apply(self.networks[self.role], x, {})
            return [module.attention_weights[0].mean(0).float() for module in looking]
        finally:
            for module in looking:
                module.store_attention = False

    def _judged(self, batch: Batch, writes: bool) -> list[list[int]]:
        """Measure a batch; return what was written, if it is to write."""
        self._measure(batch)
        if not writes:
            return []
        written = self.write(batch)
        for meter in by_name(self._of_texts).values():
            meter.update(written, _wanted(batch))
        return written

    def _reset(self) -> None:
        super()._reset()
        for meter in by_name(self._of_texts).values():
            meter.reset()


def _wanted(batch: Batch) -> list[list[int]]:
    """Return the targets, without begin, end and padding."""
    return [[token for token in ids if token not in (PAD, BOS, EOS)] for ids in batch["target"].tolist()]
