"""Random changes of batches of tokens. Imports torch: only within `build`.

Axes: B texts, T tokens; 0 is padding. Draws are made on the CPU, so that they are the same on every device.
"""

from __future__ import annotations

import torch
from torch import Tensor


def count_changes(real_BT: Tensor, fraction: float, least: int, spared: int = 0) -> Tensor:
    """Return how many tokens of each text (B, 1) are changed: a share of them, but at least `least`, and none of a text
    that is too short for it. `spared` tokens stay in any case.
    """
    length_B1 = real_BT.sum(1, keepdim=True)
    wanted_B1 = (fraction * length_B1).round().long().clamp(min=least)
    possible_B1 = (length_B1 - spared).clamp(min=0)
    return torch.where(possible_B1 < least, 0, wanted_B1.minimum(possible_B1))


def random_ranking(among_BT: Tensor) -> Tensor:
    """Return the positions (B, T) of each text in random order, those that are `among` first."""
    drawn_BT = torch.rand(among_BT.shape).to(among_BT.device, non_blocking=True)
    return drawn_BT.masked_fill(~among_BT, 2.0).argsort(1)


def random_mask(among_BT: Tensor, amount_B1: Tensor) -> Tensor:
    """Return a mask of so many positions of each text, drawn among those that are `among`."""
    return (random_ranking(among_BT).argsort(1) < amount_B1) & among_BT


def compact(tokens_BT: Tensor) -> Tensor:
    """Move all tokens to the front, in their order, and padding to the end."""
    return tokens_BT.gather(1, (tokens_BT == 0).byte().argsort(dim=1, stable=True))


def delete_tokens(tokens_BT: Tensor, fraction: float) -> Tensor:
    """Remove random tokens; one at least stays."""
    real_BT = tokens_BT != 0
    return compact(tokens_BT.masked_fill(random_mask(real_BT, count_changes(real_BT, fraction, 1, spared=1)), 0))


def swap_tokens(tokens_BT: Tensor, fraction: float) -> Tensor:
    """Let random tokens, two at least, move to each other's places in a circle."""
    real_BT = tokens_BT != 0
    amount_B1, order_BT = count_changes(real_BT, fraction, 2), random_ranking(real_BT)
    place_BT = torch.arange(tokens_BT.shape[1], device=tokens_BT.device).expand_as(tokens_BT)
    next_BT = torch.where(place_BT + 1 < amount_B1, place_BT + 1, torch.where(place_BT < amount_B1, 0, place_BT))
    return tokens_BT.scatter(1, order_BT, tokens_BT.gather(1, order_BT.gather(1, next_BT)))


def insert_tokens(tokens_BT: Tensor, fraction: float) -> Tensor:
    """Put copies of random tokens of the same text behind random tokens; what is then too long is cut off."""
    real_BT = tokens_BT != 0
    after_BT = random_mask(real_BT, count_changes(real_BT, fraction, 1))
    drawn_BT = torch.rand(tokens_BT.shape).to(tokens_BT.device, non_blocking=True)
    donor_BT = (drawn_BT * real_BT.sum(1, keepdim=True)).long()
    more_BT = tokens_BT.gather(1, donor_BT).masked_fill(~after_BT, 0)
    return compact(torch.stack([tokens_BT, more_BT], 2).flatten(1))[:, : tokens_BT.shape[1]]


def replace_tokens(tokens_BT: Tensor, fraction: float, group_V: Tensor, choices_GK: Tensor, count_G: Tensor) -> Tensor:
    """Replace random tokens that have synonyms by one of them.

    group_V    the row of each id in choices_GK, −1 for one without synonyms
    choices_GK  synonyms, count_G of them in each row
    """
    group_BT = group_V[tokens_BT]
    among_BT = (tokens_BT != 0) & (group_BT >= 0)
    which_BT = random_mask(among_BT, count_changes(tokens_BT != 0, fraction, 1))
    row_BT = group_BT.clamp(min=0)
    drawn_BT = torch.rand(tokens_BT.shape).to(tokens_BT.device, non_blocking=True)
    return torch.where(which_BT, choices_GK[row_BT, (drawn_BT * count_G[row_BT]).long()], tokens_BT)
