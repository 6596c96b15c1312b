"""Beam search: the most probable text among hypotheses that are continued side by side.

S sentences, K beams, B = S · K rows, T steps, V vocabulary, C candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dlx.decoding.config import GenerationConfig
from dlx.decoding.logits import process_logits
from dlx.decoding.stepwise import StepwiseDecoder
from dlx.tokenizers import EOS

HasEnded = Callable[[Sequence[int]], bool]
"""Whether a text ends there, before the end token."""


@dataclass(frozen=True)
class Hypothesis:
    """A text that goes on: its log-probability, the row of the batch that it continues, and its tokens."""

    log_probability: float
    row: int
    tokens: list[int]


class BeamHypotheses:
    """The best texts of one sentence that have ended, by their score: log-probability with the length penalty."""

    def __init__(self, size: int, length_penalty: float) -> None:
        self.size, self.length_penalty = size, length_penalty
        self.best: list[tuple[float, list[int]]] = []

    def add(self, log_probability: float, length: int, tokens: list[int]) -> None:
        """Add a text of so many tokens, its end counted, if it is among the best."""
        self.best.append((self._score(log_probability, length), tokens))
        self.best = sorted(self.best, key=lambda found: -found[0])[: self.size]

    def is_done(self, log_probability: float, max_length: int) -> bool:
        """Return whether no text that goes on with this log-probability can still become one of the best."""
        return len(self.best) == self.size and self.best[-1][0] >= self._score(log_probability, max_length)

    def _score(self, log_probability: float, length: int) -> float:
        return float(log_probability / ((5 + length) / 6) ** self.length_penalty)


@torch.no_grad()
def beam_search(
    decode: StepwiseDecoder,
    prompt_BT: Tensor,
    config: GenerationConfig,
    has_ended: HasEnded = lambda tokens: False,
) -> list[list[int]]:
    """Return the best continuation of each prompt, without the end token; an unfinished one only if none has ended."""
    ended = [BeamHypotheses(config.num_beams, config.length_penalty) for _ in prompt_BT]
    running = [[Hypothesis(0.0, row, [])] for row in range(len(prompt_BT))]
    logits_BV = process_logits(decode(prompt_BT), prompt_BT, config.repetition_penalty)
    for length in range(1, config.max_new_tokens + 1):
        candidates = _candidates(logits_BV, running, config.num_beams)
        running = [
            _continue(found, beams, config.num_beams, length, has_ended)
            for found, beams in zip(candidates, ended, strict=True)
        ]
        best = (row[0].log_probability for row in running)
        done = [beams.is_done(log, config.max_new_tokens) for beams, log in zip(ended, best, strict=True)]
        if length == config.max_new_tokens or all(done):
            break
        logits_BV = _next_logits(decode, prompt_BT, running, config.repetition_penalty)
    for beams, row in zip(ended, running, strict=True):
        for hypothesis in row if not beams.best else ():
            beams.add(hypothesis.log_probability, len(hypothesis.tokens), hypothesis.tokens)
    return [beams.best[0][1] for beams in ended]


def _candidates(logits_BV: Tensor, running: list[list[Hypothesis]], num_beams: int) -> list[list[Hypothesis]]:
    """Return the most probable continuations by a token, for each sentence.

    Each hypothesis has one way to end, so that twice as many candidates as beams leave enough that go on.
    """
    total_SK = torch.tensor([[h.log_probability for h in row] for row in running]).to(logits_BV)
    log_SKV = total_SK[..., None] + logits_BV.log_softmax(1).unflatten(0, (len(running), -1))
    log_SC, index_SC = log_SKV.flatten(1).topk(min(2 * num_beams, log_SKV[0].numel()))
    vocabulary = logits_BV.shape[1]
    found = []
    for sentence, (logs, indices) in enumerate(zip(log_SC.tolist(), index_SC.tolist(), strict=True)):
        row, first = running[sentence], sentence * len(running[sentence])
        found.append([
            Hypothesis(log, first + i // vocabulary, [*row[i // vocabulary].tokens, i % vocabulary])
            for log, i in zip(logs, indices, strict=True)
        ])  # fmt: skip
    return found


def _continue(
    candidates: list[Hypothesis], ended: BeamHypotheses, num_beams: int, length: int, has_ended: HasEnded
) -> list[Hypothesis]:
    """Add candidates that have ended to the ended texts, and return the best others: as many as there are beams."""
    running = []
    for candidate in candidates:
        ends = candidate.tokens[-1] == EOS
        if not ends and not has_ended(candidate.tokens):
            running.append(candidate)
        elif candidate.log_probability > -float("inf"):
            ended.add(candidate.log_probability, length, candidate.tokens[:-1] if ends else candidate.tokens)
    first = candidates[0]
    impossible = Hypothesis(-float("inf"), first.row, [*first.tokens[:-1], EOS])
    return (running + [impossible] * num_beams)[:num_beams]


def _next_logits(
    decode: StepwiseDecoder, prompt_BT: Tensor, running: list[list[Hypothesis]], repetition_penalty: float
) -> Tensor:
    hypotheses = [hypothesis for row in running for hypothesis in row]
    decode.reorder(torch.tensor([h.row for h in hypotheses], device=prompt_BT.device))
    tokens_BT = torch.tensor([h.tokens for h in hypotheses], device=prompt_BT.device)
    whole_BT = torch.cat([prompt_BT.repeat_interleave(len(running[0]), 0), tokens_BT], 1)
    return process_logits(decode(tokens_BT[:, -1:]), whole_BT, repetition_penalty)
