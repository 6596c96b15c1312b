"""Language modeling: the next token at every token, and the text that it generates. B batch, T tokens, V vocabulary,
N tokens of a batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
import torchmetrics
from torch import Tensor, nn

from dlx.decoding.beam_search import beam_search
from dlx.decoding.config import GenerationConfig
from dlx.decoding.sampling import generate_tokens
from dlx.decoding.stepwise import StepwiseDecoder
from dlx.decoding.text_stream import stop_before, stream_text
from dlx.errors import RunError, UsageError
from dlx.facts import DataFacts
from dlx.nn.context import Cache, apply
from dlx.nn.protocols import Batch
from dlx.tasks import Learning
from dlx.tasks._supervised.sequence_module import SequenceModule, is_causal, negative_log_likelihood
from dlx.tokenizers import EOS, UNK, restore

if TYPE_CHECKING:
    from dlx.tasks.language_modeling import LanguageModeling


class LanguageModelingModule(SequenceModule):
    """One network that gives logits of the next token at every token."""

    task: LanguageModeling

    def __init__(
        self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: LanguageModeling
    ) -> None:
        super().__init__(networks, facts, learning, task)
        self.codec = restore(facts.tokenizers["tokens"])
        self.context_length = facts.fields["tokens"].dims[0]
        self.nats, self.characters, self.bytes, self.tokens = (torchmetrics.SumMetric() for _ in range(4))

    def on_fit_start(self) -> None:
        if not is_causal(self, len(self.codec.tokens), min(self.context_length or 8, 8)):
            raise RunError(
                "the network looks ahead: its score of a token changes with the tokens after it; "
                "use causal layers, such as those of gpt, lstm and tcn"
            )

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the negative log-likelihood (B, T) of every token."""
        logits_BTV, target_BT = self.network_output(self.role, batch), batch["target"]
        return negative_log_likelihood(logits_BTV.flatten(0, 1), target_BT.flatten()).view_as(target_BT)

    # -- evaluation ---------------------------------------------------------------------------------------------------

    def evaluate_batch(self, batch: Batch) -> Tensor:
        logits_BTV = super().evaluate_batch(batch)
        target_BT = batch["target"]
        self.nats.update(negative_log_likelihood(logits_BTV.flatten(0, 1), target_BT.flatten()).double().sum())
        self.tokens.update(target_BT.numel())
        text = self.codec.decode(target_BT.flatten().tolist())  # blocks of a split follow one another
        self.characters.update(len(text))
        self.bytes.update(len(text.encode()))
        return logits_BTV

    def compute_metrics(self, split: str) -> dict[str, Tensor]:
        bits = self.nats.compute() / math.log(2)
        return {
            **super().compute_metrics(split),
            f"{split}/perplexity": (self.nats.compute() / self.tokens.compute()).exp(),
            f"{split}/bits_per_character": bits / self.characters.compute().clamp(min=1),
            f"{split}/bits_per_byte": bits / self.bytes.compute().clamp(min=1),
        }

    def reset_metrics(self) -> None:
        super().reset_metrics()
        for meter in (self.nats, self.characters, self.bytes, self.tokens):
            meter.reset()

    # -- text generation ----------------------------------------------------------------------------------------------

    def generated_texts(self) -> dict[str, str]:
        """Return a sample of the text that the network generates."""
        if not self.task.sample_tokens:
            return {}
        config = GenerationConfig(max_new_tokens=self.task.sample_tokens)
        return {"sample": "".join(self.stream(self.task.prompt, config))}

    def stream(self, prompt: str | None, config: GenerationConfig) -> Iterator[str]:
        """Yield a text, piece by piece: the prompt, and what follows it.

        None is a new line or, where that is no token, the end of a document. Raises: UsageError if the prompt has an
        unknown token.
        """
        if prompt is None:
            prompt = "" if UNK in self._encode("\n") else "\n"
        ids = self._encode(prompt)
        if UNK in ids:
            known = self.codec.decode(ids[: ids.index(UNK)])
            raise UsageError(f"the prompt has a token that was never seen in training, after {known!r}")
        tokens = self._beam_search(ids, config) if config.num_beams > 1 else self._generate(ids, config)
        yield prompt
        yield from stop_before(stream_text(self.codec, ids, tokens), config.stop_strings)

    def _encode(self, prompt: str) -> list[int]:
        return self.codec.encode([prompt])[0].tolist() or [EOS]

    def _generate(self, ids: list[int], config: GenerationConfig) -> Iterator[int]:
        self.eval()
        prompt_1T = torch.tensor([ids], device=self.device)
        for token_B in generate_tokens(self._decoder(), prompt_1T, config, [config.seed]):
            yield int(token_B)

    def _beam_search(self, ids: list[int], config: GenerationConfig) -> Iterator[int]:
        def has_ended(tokens: Any) -> bool:
            return any(stop in self.codec.decode(tokens) for stop in config.stop_strings)

        self.eval()
        (found,) = beam_search(self._decoder(), torch.tensor([ids], device=self.device), config, has_ended)
        yield from found

    def _decoder(self) -> StepwiseDecoder:
        """Return what gives the next token's logits; the network never looks back further than it did in training."""

        def forward(new_BT: Tensor, cache: Cache) -> Tensor:
            return apply(self.networks[self.role], new_BT, {"cache": cache})  # type: ignore[no-any-return]

        return StepwiseDecoder(forward, self.context_length)
