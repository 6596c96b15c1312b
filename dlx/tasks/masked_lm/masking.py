"""Masking of tokens, and pairs of text pieces, for BERT's pretraining. B batch, T steps, S steps of a second piece."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dlx.tokenizers import BOS, EOS, PAD

if TYPE_CHECKING:
    from dlx.tasks.masked_lm import MaskedLM


def mask_tokens(
    tokens_BT: Tensor, draws_BT3: Tensor, task: MaskedLM, vocabulary: range, mask_token: int
) -> tuple[Tensor, Tensor]:
    """Return masked texts, and which tokens were chosen, (B, T) bool.

    draws       for every token three numbers from 0 to 1: whether it is chosen, how it is replaced, and by which token
    vocabulary  the tokens that replace others at random
    """
    eligible_BT = ~torch.isin(tokens_BT, torch.tensor([PAD, BOS, EOS], device=tokens_BT.device))
    count_B = (task.mask_ratio * eligible_BT.sum(1)).round().clamp(min=1)
    place_BT = draws_BT3[..., 0].masked_fill(~eligible_BT, 2.0).argsort(dim=1, stable=True).argsort(dim=1)
    chosen_BT = (place_BT < count_B[:, None]) & eligible_BT
    how_BT = draws_BT3[..., 1]
    random_BT = vocabulary.start + (draws_BT3[..., 2] * len(vocabulary)).long().clamp(max=len(vocabulary) - 1)
    put_BT = torch.where(how_BT < task.mask_replace_prob + task.random_replace_prob, random_BT, tokens_BT)
    put_BT = torch.where(how_BT < task.mask_replace_prob, torch.full_like(tokens_BT, mask_token), put_BT)
    return torch.where(chosen_BT, put_BT, tokens_BT), chosen_BT


def pair_texts(tokens_BT: Tensor, other_BS: Tensor, follows_B: Tensor) -> tuple[Tensor, Tensor]:
    """Return begin, the first half of the tokens, end, their second half or the other one, end; and the segment ids."""
    first_BT, second_BS = tokens_BT.tensor_split([tokens_BT.shape[1] - other_BS.shape[1]], dim=1)
    second_BS = torch.where(follows_B[:, None], second_BS, other_BS)
    begin_B1, end_B1 = (torch.full_like(tokens_BT[:, :1], token) for token in (BOS, EOS))
    pair_BT = torch.cat([begin_B1, first_BT, end_B1, second_BS, end_B1], 1)
    second = torch.arange(pair_BT.shape[1], device=pair_BT.device) >= first_BT.shape[1] + 2
    return pair_BT, second.long().expand_as(pair_BT)
