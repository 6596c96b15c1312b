"""Which words were taken out of a text. B batch, T steps, N chosen tokens of a batch, V vocabulary, F features."""

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
from dlx.tasks import Learning, Task
from dlx.tasks._base.optimizer_step import Batch
from dlx.tasks._unsupervised.module import UnsupervisedModule
from dlx.tokenizers import BOS, EOS, MASKED, PAD, SPECIAL, restore

if TYPE_CHECKING:
    from dlx.tasks.masked_lm import MaskedLM

PERIOD = 1009
"""Numbers by which the draws of one text are ahead of those of the text before it, where a split is judged."""


@dataclass(frozen=True)
class Read:
    """Texts as the network reads them: tokens (B, T), what is in scope, and whether the second piece follows the first
    (B,), 0 or 1.
    """

    tokens: Tensor
    context: Context
    follows: Tensor | None = None


@dataclass(frozen=True)
class Said:
    """What was said of a batch: scores of the chosen tokens (N, V), and of whether pieces follow one another (B, 2)."""

    words: Tensor
    follows: Tensor | None


def masked(tokens_BT: Tensor, draws_BT3: Tensor, task: MaskedLM, words: range, mask: int) -> tuple[Tensor, Tensor]:
    """Return what is seen of texts of which a share is hidden, and which tokens were chosen, (B, T) bool.

    draws  for every token three numbers from 0 to 1: whether it is chosen, what is put there, and which of the `words`
    """
    eligible_BT = ~torch.isin(tokens_BT, torch.tensor([PAD, BOS, EOS], device=tokens_BT.device))
    most_B = (task.mask_ratio * eligible_BT.sum(1)).round().clamp(min=1)
    place_BT = draws_BT3[..., 0].masked_fill(~eligible_BT, 2.0).argsort(dim=1, stable=True).argsort(dim=1)
    chosen_BT = (place_BT < most_B[:, None]) & eligible_BT
    how_BT = draws_BT3[..., 1]
    random_BT = words.start + (draws_BT3[..., 2] * len(words)).long().clamp(max=len(words) - 1)
    put_BT = torch.where(how_BT < task.mask_replace_prob + task.random_replace_prob, random_BT, tokens_BT)
    put_BT = torch.where(how_BT < task.mask_replace_prob, torch.full_like(tokens_BT, mask), put_BT)
    return torch.where(chosen_BT, put_BT, tokens_BT), chosen_BT


def pairs(tokens_BT: Tensor, other_BS: Tensor, follows_B: Tensor) -> tuple[Tensor, Tensor]:
    """Return begin, the first half of the tokens, end, their second half or the other one, end; and the segments."""
    first_BT, second_BS = tokens_BT.tensor_split([tokens_BT.shape[1] - other_BS.shape[1]], dim=1)
    second_BS = torch.where(follows_B[:, None], second_BS, other_BS)
    begin_B1, end_B1 = (torch.full_like(tokens_BT[:, :1], token) for token in (BOS, EOS))
    pair_BT = torch.cat([begin_B1, first_BT, end_B1, second_BS, end_B1], 1)
    second = torch.arange(pair_BT.shape[1], device=pair_BT.device) >= first_BT.shape[1] + 2
    return pair_BT, second.long().expand_as(pair_BT)


class MaskedLMModule(UnsupervisedModule):
    """One network with a head that scores words, and one that says whether two pieces follow one another."""

    def __init__(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: MaskedLM) -> None:
        super().__init__(
            networks, facts, learning, ("next_sentence_loss", "next_sentence_accuracy") if task.next_sentence else ()
        )
        self.task = task
        self.field = facts.inputs[0]
        self.codec = restore(facts.tokenizers[self.field])
        self.words = range(len(SPECIAL), len(self.codec.tokens) - len(self.codec.specials))
        self.mask_token = self.codec.special(MASKED)
        self.nats, self.right, self.count = (torchmetrics.SumMetric() for _ in range(3))
        self.shown: list[str] = []

    def read(self, batch: Batch, coin_B: Tensor) -> Read:
        """Return the texts of a batch; in pairs, where half of the second pieces are from elsewhere."""
        tokens_BT, context = batch[self.field], self.context_of(batch)
        if not self.task.next_sentence:
            return Read(tokens_BT, context)
        follows_B = coin_B < 0.5
        pair_BT, segment_BT = pairs(tokens_BT, batch["other"], follows_B)
        return Read(pair_BT, {**context, "segment": segment_BT}, follows_B.long())

    def features(self, tokens_BT: Tensor, context: Context) -> Tensor:
        """Return (B, T, F)."""
        network: Any = self.networks[Task.default_role]
        features_BTF: Tensor = apply(network.body, tokens_BT, context)
        return features_BTF

    def answered(self, seen_BT: Tensor, chosen_BT: Tensor, read: Read) -> Said:
        """Return what the network says of texts with tokens hidden."""
        network: Any = self.networks[Task.default_role]
        features_BTF = self.features(seen_BT, read.context)
        follows_B2 = None if read.follows is None else network.heads.follows(features_BTF[:, 0])
        return Said(network.heads.words(features_BTF[chosen_BT]), follows_B2)

    def hidden(self, read: Read, draws_BT3: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is seen of texts, and which tokens were chosen."""
        return masked(read.tokens, draws_BT3, self.task, self.words, self.mask_token)

    # -- learning -----------------------------------------------------------------------------------------------------

    def learn(self, batch: Batch) -> None:
        self.note_loss(self.update(Task.default_role, batch, self.objective))

    def objective(self, batch: Batch) -> Tensor:
        """Return the mean loss of the chosen tokens, and of the pairs."""
        read = self.read(batch, torch.rand(len(batch["rows"]), device=batch["rows"].device))
        seen_BT, chosen_BT = self.hidden(read, torch.rand(*read.tokens.shape, 3, device=read.tokens.device))
        said, truth_N = self.answered(seen_BT, chosen_BT, read), read.tokens[chosen_BT]
        loss = F.cross_entropy(said.words, truth_N, reduction="sum") / max(1, len(truth_N))
        if said.follows is None or read.follows is None:
            return loss
        return loss + F.cross_entropy(said.follows, read.follows)

    # -- judging ------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        for meter in (self.nats, self.right, self.count):
            meter.reset()

    def on_test_epoch_start(self) -> None:
        super().on_test_epoch_start()
        self.shown = []

    def evaluate_batch(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        read = self.read(batch, self._fixed(index_B)[:, 0])
        step_T = torch.arange(read.tokens.shape[1], device=index_B.device)
        seen_BT, chosen_BT = self.hidden(read, self._fixed(index_B[:, None] * PERIOD + step_T))
        said, truth_N = self.answered(seen_BT, chosen_BT, read), read.tokens[chosen_BT]
        best_N = said.words.argmax(1)
        self.nats.update(F.cross_entropy(said.words.float(), truth_N, reduction="sum").double())
        self.right.update((best_N == truth_N).sum())
        self.count.update(len(truth_N))
        if self.trainer.testing:
            self._keep(batch, read, seen_BT, chosen_BT, best_N)
        if said.follows is None or read.follows is None:
            return {}
        next_loss_B = F.cross_entropy(said.follows.float(), read.follows, reduction="none")
        return {
            "next_sentence_loss": next_loss_B,
            "next_sentence_accuracy": (said.follows.argmax(1) == read.follows).float(),
        }

    def summary(self, split: str) -> dict[str, Tensor]:
        count = self.count.compute().clamp(min=1)
        mean = self.nats.compute() / count
        of_pairs = self.means["mean_next_sentence_loss"].compute() if self.task.next_sentence else 0.0  # type: ignore[operator]
        return {"loss": mean + of_pairs, "perplexity": mean.exp(), "accuracy": self.right.compute() / count}

    def _fixed(self, index: Tensor) -> Tensor:
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

    # -- looking ------------------------------------------------------------------------------------------------------

    def generated_texts(self) -> dict[str, str]:
        """Return texts of the test split with what the network put where tokens were hidden."""
        return {"masked": "\n".join(self.shown)} if self.shown else {}

    def _keep(self, batch: Batch, read: Read, seen_BT: Tensor, chosen_BT: Tensor, best_N: Tensor) -> None:
        """Write down the first texts: each chosen token as [what it was → what is said], and ! where that is wrong."""
        answers_BT = read.tokens.clone()
        answers_BT[chosen_BT] = best_N
        for row in range(min(len(seen_BT), self.task.num_examples - len(self.shown))):
            columns = (read.tokens[row], answers_BT[row], chosen_BT[row])
            self.shown.append(self._written(*(column.tolist() for column in columns)))

    def _written(self, tokens: Sequence[int], answers: Sequence[int], chosen: Sequence[bool]) -> str:
        def named(token: int) -> str:
            text = self.codec.decode([token])
            return text.strip() or ("␣" if text else str(self.codec.tokens[token]))

        said, run = [], []
        for token, answer, blank in zip(tokens, answers, chosen, strict=True):
            if not blank:
                run.append(token)
                continue
            wrong = "" if token == answer else f" → {named(answer)}!"
            said += [self.codec.decode(run), f"[{named(token)}{wrong}]"]
            run = []
        return " ".join(" ".join([*said, self.codec.decode(run)]).split()) + "\n"
