"""Filtering of logits: what is never generated, repetition penalty, temperature, top-k and top-p (nucleus) sampling.

B texts, T steps, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dlx.decoding.config import GenerationConfig
from dlx.tokenizers import BOS, PAD, UNK

SUPPRESSED = (PAD, UNK, BOS)  # tokens that are never generated


def process_logits(logits_BV: Tensor, past_BT: Tensor, repetition_penalty: float) -> Tensor:
    """Return the logits without tokens that are never generated (−∞), and lower for tokens of the past."""
    logits_BV = logits_BV.clone()
    if repetition_penalty != 1:
        past_logits_BT = logits_BV.gather(1, past_BT)
        lowered_BT = torch.where(
            past_logits_BT > 0, past_logits_BT / repetition_penalty, past_logits_BT * repetition_penalty
        )
        logits_BV.scatter_(1, past_BT, lowered_BT)
    logits_BV[:, SUPPRESSED] = -torch.inf
    return logits_BV


def warp_logits(logits_BV: Tensor, config: GenerationConfig) -> Tensor:
    """Return the logits that tokens are sampled by: −∞ for all but the most probable, where the options say so."""
    logits_BV = logits_BV / config.temperature
    if config.top_k is not None:
        logits_BV = filter_top_k(logits_BV, config.top_k)
    if config.top_p is not None:
        logits_BV = filter_top_p(logits_BV, config.top_p)
    return logits_BV


def filter_top_k(logits_BV: Tensor, top_k: int) -> Tensor:
    """Return the logits with −∞ for all tokens but the k most probable, and those that are as probable as the k-th."""
    smallest_B1 = logits_BV.topk(min(top_k, logits_BV.shape[1])).values[:, -1:]
    return logits_BV.masked_fill(logits_BV < smallest_B1, -torch.inf)


def filter_top_p(logits_BV: Tensor, top_p: float) -> Tensor:
    """Return the logits with −∞ for all tokens but the most probable that together have at least a probability."""
    sorted_BV, index_BV = logits_BV.sort(stable=True, dim=1, descending=True)
    probability_BV = sorted_BV.softmax(1)
    before_BV = probability_BV.cumsum(1) - probability_BV
    kept_BV = sorted_BV.masked_fill(before_BV >= top_p, -torch.inf)
    return torch.full_like(logits_BV, -torch.inf).scatter(1, index_BV, kept_BV)


def sample_tokens(logits_BV: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
    """Return tokens (B,) sampled from the softmax of logits, on the CPU: the same on every device."""
    sum_BV = logits_BV.softmax(1).double().cpu().cumsum(1)
    drawn_B1 = torch.stack([torch.rand(1, generator=g, dtype=torch.float64) for g in generators])
    token_B1 = torch.searchsorted(sum_BV, drawn_B1 * sum_BV[:, -1:], right=True)
    return token_B1[:, 0].clamp(max=sum_BV.shape[1] - 1).to(logits_BV.device)
