"""Which token comes next, and the text that comes of it. B batch, T tokens, V vocabulary, N tokens of a batch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
import torchmetrics
from torch import Tensor, nn

from dlx.decoding.detokenize import pieces, until
from dlx.decoding.options import Decoding
from dlx.decoding.search import Reader, search, write
from dlx.errors import RunError, UsageError
from dlx.facts import DataFacts
from dlx.losses import Loss
from dlx.metrics import Metric
from dlx.nn.context import Cache, apply
from dlx.tasks import Learning
from dlx.tasks._base.optimizer_step import Batch
from dlx.tasks._supervised.sequence_module import StepsModule, looks_ahead, negative_log_likelihood
from dlx.tokenizers import EOS, UNK, restore


class LanguageModelingModule(StepsModule):
    """One network that scores the next token at every token.

    how  how many tokens the sample at the end has, and what it begins with
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        facts: DataFacts,
        learning: Learning,
        loss: Loss,
        metrics: Mapping[str, Metric],
        how: tuple[int, str | None],
    ) -> None:
        super().__init__(networks, facts, learning, loss, metrics)
        self.codec = restore(facts.tokenizers["tokens"])
        self.sample_tokens, self.sample_prompt = how
        self.window = facts.fields["tokens"].dims[0]
        self.nats, self.letters, self.bytes, self.tokens = (torchmetrics.SumMetric() for _ in range(4))

    def on_fit_start(self) -> None:
        if looks_ahead(self, len(self.codec.tokens), min(self.window or 8, 8)):
            raise RunError(
                "the network looks ahead: its score of a token changes with the tokens after it; "
                "use causal layers, such as those of gpt, lstm and tcn"
            )

    def compare(self, prediction: Tensor, target: Tensor) -> None:
        """Count only where metrics are asked for: the shares of a whole vocabulary are many numbers."""
        if self.meters:
            super().compare(prediction, target)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return −log p (B, T) of every token."""
        scores_BTV, target_BT = self.run(self.role, batch), batch["target"]
        return negative_log_likelihood(scores_BTV.flatten(0, 1), target_BT.flatten()).view_as(target_BT)

    def measured(self, split: str) -> dict[str, Tensor]:
        bits = self.nats.compute() / math.log(2)
        return {
            **super().measured(split),
            f"{split}/perplexity": (self.nats.compute() / self.tokens.compute()).exp(),
            f"{split}/bits_per_character": bits / self.letters.compute().clamp(min=1),
            f"{split}/bits_per_byte": bits / self.bytes.compute().clamp(min=1),
        }

    def _measure(self, batch: Batch) -> Tensor:
        scores_NV = super()._measure(batch)
        target_BT = batch["target"]
        self.nats.update(negative_log_likelihood(scores_NV, target_BT.flatten()).double().sum())
        self.tokens.update(target_BT.numel())
        text = self.codec.decode(target_BT.flatten().tolist())  # blocks of a split follow one another
        self.letters.update(len(text))
        self.bytes.update(len(text.encode()))
        return scores_NV

    def _reset(self) -> None:
        super()._reset()
        for meter in (self.nats, self.letters, self.bytes, self.tokens):
            meter.reset()

    # -- writing ------------------------------------------------------------------------------------------------------

    def generated_texts(self) -> dict[str, str]:
        """Return a sample of what the network writes."""
        if not self.sample_tokens:
            return {}
        how = Decoding(max_new_tokens=self.sample_tokens)
        return {"sample": "".join(self.stream(self.sample_prompt, how))}

    def stream(self, prompt: str | None, how: Decoding) -> Iterator[str]:
        """Yield a text, piece by piece: the prompt, and what follows it.

        None is a new line or, where that is no token, the end of a document. Raises: UsageError if the prompt has an
        unknown token.
        """
        if prompt is None:
            prompt = "" if UNK in self._read("\n") else "\n"
        ids = self._read(prompt)
        if UNK in ids:
            known = self.codec.decode(ids[: ids.index(UNK)])
            raise UsageError(f"the prompt has a token that was never seen in training, after {known!r}")
        tokens = self._best(ids, how) if how.num_beams > 1 else self._drawn(ids, how)
        yield prompt
        yield from until(pieces(self.codec, ids, tokens), how.stop_strings)

    def _read(self, prompt: str) -> list[int]:
        return self.codec.encode([prompt])[0].tolist() or [EOS]

    def _drawn(self, ids: list[int], how: Decoding) -> Iterator[int]:
        self.eval()
        for token_B in write(self._reader(), torch.tensor([ids], device=self.device), how, [how.seed]):
            yield int(token_B)

    def _best(self, ids: list[int], how: Decoding) -> Iterator[int]:
        self.eval()
        found = search(self._reader(), torch.tensor([ids], device=self.device), how, self._stopped(how))
        yield from found[0]

    def _stopped(self, how: Decoding) -> Any:
        return lambda text: any(stop in self.codec.decode(text) for stop in how.stop_strings)

    def _reader(self) -> Reader:
        """Return what scores the next token; the network never looks back further than it did in training."""

        def run(new_BT: Tensor, cache: Cache) -> Tensor:
            return apply(self.networks[self.role], new_BT, {"cache": cache})  # type: ignore[no-any-return]

        return Reader(run, self.window)
