"""Tokens written one after the other. B texts (of a beam: sentences × hypotheses), T steps, V vocabulary, K beam."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from dlx.decoding.options import Decoding
from dlx.nn.context import Cache
from dlx.tokenizers import BOS, EOS, PAD, UNK

Run = Callable[[Tensor, Cache], Tensor]
"""Scores (B, T, V) of the token after each of those that are new, (B, T); a cache holds those before."""
Ended = Callable[[Sequence[int]], bool]
"""Whether what was written ends there."""
NEVER = (PAD, UNK, BOS)  # tokens that are not written


class Reader:
    """Gives the scores of the next token to whoever gives it the tokens that are new.

    window  the most steps that the network can look back; where they are full, it goes on from the newer half of
            them. None: as many as there are
    """

    def __init__(self, run: Run, window: int | None = None) -> None:
        self.run, self.window = run, window
        self.cache = Cache()
        self.recent_BT: Tensor | None = None

    def __call__(self, new_BT: Tensor) -> Tensor:
        """Return (B, V)."""
        if self.window is not None:
            new_BT = self._fitting(new_BT, self.window)
        scores_BTV = self.run(new_BT, self.cache)
        self.cache.advance(new_BT.shape[1])
        return scores_BTV[:, -1].float()

    def reorder(self, index_B: Tensor) -> None:
        """Let each text go on from the one whose number it is given."""
        self.cache.reorder(index_B)
        self.recent_BT = None if self.recent_BT is None else self.recent_BT[index_B]

    def _fitting(self, new_BT: Tensor, window: int) -> Tensor:
        """Return what is to be read: what is new, or where that is too much, the end of all with an empty cache."""
        recent_BT = new_BT if self.recent_BT is None else torch.cat([self.recent_BT, new_BT], 1)
        self.recent_BT = recent_BT[:, -window:]
        if self.cache.length + new_BT.shape[1] <= window:
            return new_BT
        begun = self.cache.length > 0
        self.cache = Cache()
        return recent_BT[:, -(window // 2 or 1) if begun else -window :]


@torch.no_grad()
def write(read: Reader, prompt_BT: Tensor, how: Decoding, seeds: Sequence[int]) -> Iterator[Tensor]:
    """Yield the next token (B,) of every text, as often as `how` allows; when a text is over, others go on.

    seeds  one for each text; what is drawn for it does not depend on the others
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    past_BT = new_BT = prompt_BT
    for _ in range(how.max_new_tokens):
        scores_BV = allowed(read(new_BT), past_BT, how.repetition_penalty)
        token_B = scores_BV.argmax(1) if how.temperature == 0 else draw(probabilities(scores_BV, how), generators)
        yield token_B
        new_BT = token_B[:, None]
        if how.repetition_penalty != 1:
            past_BT = torch.cat([past_BT, new_BT], 1)


def write_whole(read: Reader, prompt_BT: Tensor, how: Decoding, seeds: Sequence[int] = ()) -> list[list[int]]:
    """Return what follows each prompt up to the end token, without it: drawn, by argmax, or by beam search."""
    if how.num_beams > 1:
        return search(read, prompt_BT, how)
    texts: list[list[int]] = [[] for _ in prompt_BT]
    over = [False] * len(texts)
    for token_B in write(read, prompt_BT, how, seeds or range(len(texts))):
        for i, token in enumerate(token_B.tolist()):
            over[i] = over[i] or token == EOS
            texts[i] += [] if over[i] else [token]
        if all(over):
            break
    return texts


def allowed(scores_BV: Tensor, past_BT: Tensor, penalty: float) -> Tensor:
    """Return the scores without what is never written, and lower for tokens of the past."""
    scores_BV = scores_BV.clone()
    if penalty != 1:
        known_BT = scores_BV.gather(1, past_BT)
        lowered_BT = torch.where(known_BT > 0, known_BT / penalty, known_BT * penalty)
        scores_BV.scatter_(1, past_BT, lowered_BT)
    scores_BV[:, NEVER] = -torch.inf
    return scores_BV


def probabilities(scores_BV: Tensor, how: Decoding) -> Tensor:
    """Return what tokens are drawn by: 0 for all but the most probable, where `how` says so."""
    scores_BV = scores_BV / how.temperature
    if how.top_k is not None:
        least_B1 = scores_BV.topk(min(how.top_k, scores_BV.shape[1])).values[:, -1:]
        scores_BV = scores_BV.masked_fill(scores_BV < least_B1, -torch.inf)
    share_BV = scores_BV.softmax(1)
    if how.top_p is None:
        return share_BV
    ordered_BV, index_BV = share_BV.sort(stable=True, dim=1, descending=True)
    before_BV = ordered_BV.cumsum(1) - ordered_BV
    kept_BV = torch.zeros_like(share_BV).scatter(1, index_BV, ordered_BV.masked_fill(before_BV >= how.top_p, 0.0))
    return kept_BV / kept_BV.sum(1, keepdim=True)


def draw(share_BV: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
    """Return a token (B,) drawn by the shares, on the CPU: the same on every device."""
    sum_BV = share_BV.double().cpu().cumsum(1)
    drawn_B1 = torch.stack([torch.rand(1, generator=g, dtype=torch.float64) for g in generators])
    token_B1 = torch.searchsorted(sum_BV, drawn_B1 * sum_BV[:, -1:], right=True)
    return token_B1[:, 0].clamp(max=sum_BV.shape[1] - 1).to(share_BV.device)


# -- beam search -------------------------------------------------------------------------------------------------------


class Hypotheses:
    """The best texts of one sentence that are over, and how good each is."""

    def __init__(self, size: int, length_penalty: float) -> None:
        self.size, self.length_penalty = size, length_penalty
        self.best: list[tuple[float, list[int]]] = []

    def add(self, log_probability: float, steps: int, tokens: list[int]) -> None:
        """Keep a text, written in so many steps, if it is among the best."""
        self.best.append((log_probability / self.divisor(steps), tokens))
        self.best = sorted(self.best, key=lambda found: -found[0])[: self.size]

    def are_settled(self, log_probability: float, most: int) -> bool:
        """Say whether no text that is at this probability now can still become one of the best."""
        return len(self.best) == self.size and self.best[-1][0] >= log_probability / self.divisor(most)

    def divisor(self, steps: int) -> float:
        """Return by what a log-probability is divided."""
        return float(((5 + steps) / 6) ** self.length_penalty)


@torch.no_grad()
def search(read: Reader, prompt_BT: Tensor, how: Decoding, ended: Ended = lambda text: False) -> list[list[int]]:
    """Return the best continuation of each prompt that a beam finds, without the end token; one that has no end only
    where none has ended.

    ended  says of a text whether it is over before the end token
    """
    sentences, beam = len(prompt_BT), how.num_beams
    found = [Hypotheses(beam, how.length_penalty) for _ in range(sentences)]
    texts: list[list[int]] = [[] for _ in range(sentences)]
    scores_BV = allowed(read(prompt_BT), prompt_BT, how.repetition_penalty)
    total_SK = scores_BV.new_zeros(sentences, 1)
    for step in range(1, how.max_new_tokens + 1):
        new_SKV = total_SK[..., None] + scores_BV.log_softmax(1).unflatten(0, (sentences, -1))
        # Each hypothesis has one way to end, so that twice as many candidates leave enough that go on.
        best_SC, which_SC = new_SKV.flatten(1).topk(min(2 * beam, new_SKV[0].numel()))
        kept = _sorted_out(best_SC.tolist(), which_SC.tolist(), new_SKV.shape[2], texts, found, beam, step, ended)
        total_SK = torch.tensor([[log for log, _, _ in row] for row in kept])
        settled = (h.are_settled(row[0][0], how.max_new_tokens) for h, row in zip(found, kept, strict=True))
        texts = [text for row in kept for _, _, text in row]
        if step == how.max_new_tokens or all(settled):
            break
        read.reorder(torch.tensor([origin for row in kept for _, origin, _ in row], device=prompt_BT.device))
        past_BT = torch.tensor(texts, device=prompt_BT.device)
        whole_BT = torch.cat([prompt_BT.repeat_interleave(beam, 0), past_BT], 1)
        scores_BV = allowed(read(past_BT[:, -1:]), whole_BT, how.repetition_penalty)
        total_SK = total_SK.to(scores_BV)
    for hypotheses, row in zip(found, kept, strict=True):
        for log, _, text in row if not hypotheses.best else ():
            hypotheses.add(log, len(text), text)
    return [hypotheses.best[0][1] for hypotheses in found]


def _sorted_out(
    best: list[list[float]],
    which: list[list[int]],
    words: int,
    texts: list[list[int]],
    found: list[Hypotheses],
    beam: int,
    step: int,
    ended: Ended,
) -> list[list[tuple[float, int, list[int]]]]:
    """Put candidates that are over to those found, and return the best others: probability, origin and text of each."""
    kept = []
    for sentence, (logs, places) in enumerate(zip(best, which, strict=True)):
        row: list[tuple[float, int, list[int]]] = []
        each = len(texts) // len(found)
        for log, place in zip(logs, places, strict=True):
            origin, token = sentence * each + place // words, place % words
            text = texts[origin] + [token]
            if token != EOS and not ended(text):
                row.append((log, origin, text))
            elif log > -float("inf"):
                found[sentence].add(log, step, text[:-1] if token == EOS else text)
        row += [(-float("inf"), sentence * each, [*texts[sentence * each], EOS])] * beam
        kept.append(row[:beam])
    return kept
