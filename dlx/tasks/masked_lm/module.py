"""Masked language modeling, with next-sentence prediction. B batch, T steps, N chosen tokens of a batch, V vocabulary,
F features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torchmetrics
from torch import Tensor, nn
from torch.nn import functional as F

from dlx.facts import DataFacts
from dlx.nn.context import Context, apply
from dlx.nn.protocols import Batch
from dlx.tasks import TERMS, Learning, Task
from dlx.tasks._base.gradient_accumulation import mean_terms
from dlx.tasks._unsupervised.module import UnsupervisedModule
from dlx.tasks.masked_lm.masking import mask_tokens, pair_texts
from dlx.tokenizers import MASKED, SPECIAL, restore

if TYPE_CHECKING:
    from dlx.tasks.masked_lm import MaskedLM

PERIOD = 1009
"""Numbers by which the draws of one text are ahead of those of the text before it, in an evaluation."""
TOKENS, MASKED_TOKENS, CHOSEN = "tokens", "masked_tokens", "chosen"
"""Fields of a batch: texts (B, T), the same masked, and which tokens were chosen, (B, T) bool."""
SEGMENT, FOLLOWS = "segment", "follows"
"""Fields of a batch of pairs: segment ids (B, T), and whether the second piece follows the first (B,), 0 or 1."""


@dataclass(frozen=True)
class Logits:
    """Logits of chosen tokens (N, V), and of whether pieces follow one another (B, 2)."""

    tokens: Tensor
    follows: Tensor | None


class MaskedLMModule(UnsupervisedModule):
    """One network with a head for masked tokens, and one for next-sentence prediction."""

    task: MaskedLM

    def __init__(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: MaskedLM) -> None:
        super().__init__(networks, facts, learning, task)
        self.field = facts.inputs[0]
        self.codec = restore(facts.tokenizers[self.field])
        self.vocabulary = range(len(SPECIAL), len(self.codec.tokens) - len(self.codec.specials))
        self.mask_token = self.codec.special(MASKED)
        self.nats, self.correct, self.count = (torchmetrics.SumMetric() for _ in range(3))
        self.examples: list[str] = []

    def sample_metrics(self) -> Sequence[str]:
        return ("next_sentence_loss", "next_sentence_accuracy") if self.task.next_sentence else ()

    @property
    def network(self) -> Any:
        """The network: body and heads."""
        return self.networks[Task.default_role]

    def features(self, tokens_BT: Tensor, context: Context) -> Tensor:
        """Return the features (B, T, F) of texts."""
        features_BTF: Tensor = apply(self.network.body, tokens_BT, context)
        return features_BTF

    def logits(self, batch: Batch) -> Logits:
        """Return the network's logits for a masked batch."""
        context = self.context_of(batch) | ({SEGMENT: batch[SEGMENT]} if SEGMENT in batch else {})
        features_BTF = self.features(batch[MASKED_TOKENS], context)
        follows_B2 = self.network.heads.next_sentence(features_BTF[:, 0]) if FOLLOWS in batch else None
        return Logits(self.network.heads.masked_tokens(features_BTF[batch[CHOSEN]]), follows_B2)

    def pair(self, batch: Batch, coin_B: Tensor) -> Batch:
        """Return a batch with its texts; in pairs, where half of the second pieces are from elsewhere."""
        if not self.task.next_sentence:
            return {**batch, TOKENS: batch[self.field]}
        follows_B = coin_B < 0.5
        pair_BT, segment_BT = pair_texts(batch[self.field], batch["other"], follows_B)
        return {**batch, TOKENS: pair_BT, SEGMENT: segment_BT, FOLLOWS: follows_B.long()}

    def mask(self, batch: Batch, draws_BT3: Tensor) -> Batch:
        """Return a batch with its texts masked."""
        seen_BT, chosen_BT = mask_tokens(batch[TOKENS], draws_BT3, self.task, self.vocabulary, self.mask_token)
        return {**batch, MASKED_TOKENS: seen_BT, CHOSEN: chosen_BT}

    # -- loss ---------------------------------------------------------------------------------------------------------

    def prepare_step(self, batch: Batch) -> Batch:
        device = batch["rows"].device
        batch = self.pair(batch, torch.rand(len(batch["rows"]), device=device))
        batch = self.mask(batch, torch.rand(*batch[TOKENS].shape, 3, device=device))
        return {**batch, TERMS: mean_terms(batch[CHOSEN].sum(), batch)} if self.splits_batches else batch

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean loss of the chosen tokens, and of the pairs."""
        logits, target_N = self.logits(batch), batch[TOKENS][batch[CHOSEN]]
        terms = batch[TERMS].sum() if TERMS in batch else max(1, len(target_N))
        loss = F.cross_entropy(logits.tokens, target_N, reduction="sum") / terms
        return loss if logits.follows is None else loss + F.cross_entropy(logits.follows, batch[FOLLOWS])

    # -- evaluation ---------------------------------------------------------------------------------------------------

    def on_split_start(self) -> None:
        for meter in (self.nats, self.correct, self.count):
            meter.reset()

    def on_test_epoch_start(self) -> None:
        super().on_test_epoch_start()
        self.examples = []

    def evaluate_batch(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        batch = self.pair(batch, self._fixed_uniform(index_B)[:, 0])
        step_T = torch.arange(batch[TOKENS].shape[1], device=index_B.device)
        batch = self.mask(batch, self._fixed_uniform(index_B[:, None] * PERIOD + step_T))
        logits, target_N = self.logits(batch), batch[TOKENS][batch[CHOSEN]]
        predicted_N = logits.tokens.argmax(1)
        self.nats.update(F.cross_entropy(logits.tokens.float(), target_N, reduction="sum").double())
        self.correct.update((predicted_N == target_N).sum())
        self.count.update(len(target_N))
        if self.trainer.testing:
            self._collect_examples(batch, predicted_N)
        if logits.follows is None:
            return {}
        loss_B = F.cross_entropy(logits.follows.float(), batch[FOLLOWS], reduction="none")
        correct_B = (logits.follows.argmax(1) == batch[FOLLOWS]).float()
        return {"next_sentence_loss": loss_B, "next_sentence_accuracy": correct_B}

    def split_metrics(self, split: str) -> dict[str, Tensor]:
        count = self.count.compute().clamp(min=1)
        mean = self.nats.compute() / count
        of_pairs = self.means["mean_next_sentence_loss"].compute() if self.task.next_sentence else 0.0  # type: ignore[operator]
        return {"loss": mean + of_pairs, "perplexity": mean.exp(), "accuracy": self.correct.compute() / count}

    def _fixed_uniform(self, index: Tensor) -> Tensor:
        """Return three numbers from 0 to 1 that are always the same for the same index."""
        uniform: Tensor = torch.special.ndtr(self.noise(index, (3,)))
        return uniform

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the mean of the features of each text's tokens, (B, F)."""
        context = self.context_of(batch)
        features_BTF = self.features(batch[self.field], context)
        real_BT1 = context.get("mask", torch.ones_like(batch[self.field], dtype=torch.bool)).unsqueeze(-1)
        mean_BF: Tensor = (features_BTF * real_BT1).sum(1) / real_BT1.sum(1)
        return mean_BF

    # -- examples -----------------------------------------------------------------------------------------------------

    def generated_texts(self) -> dict[str, str]:
        """Return texts of the test split with the tokens that the network predicts where some were masked."""
        return {"masked": "\n".join(self.examples)} if self.examples else {}

    def _collect_examples(self, batch: Batch, predicted_N: Tensor) -> None:
        """Write down the first texts: each chosen token as [token → prediction!], or [token] where that is right."""
        answers_BT = batch[TOKENS].clone()
        answers_BT[batch[CHOSEN]] = predicted_N
        for row in range(min(len(answers_BT), self.task.num_examples - len(self.examples))):
            columns = (batch[TOKENS][row], answers_BT[row], batch[CHOSEN][row])
            self.examples.append(self._example(*(column.tolist() for column in columns)))

    def _example(self, tokens: Sequence[int], answers: Sequence[int], chosen: Sequence[bool]) -> str:
        def name(token: int) -> str:
            text = self.codec.decode([token])
            return text.strip() or ("␣" if text else str(self.codec.tokens[token]))

        parts, run = [], []
        for token, answer, is_chosen in zip(tokens, answers, chosen, strict=True):
            if not is_chosen:
                run.append(token)
                continue
            wrong = "" if token == answer else f" → {name(answer)}!"
            parts += [self.codec.decode(run), f"[{name(token)}{wrong}]"]
            run = []
        return " ".join(" ".join([*parts, self.codec.decode(run)]).split()) + "\n"
