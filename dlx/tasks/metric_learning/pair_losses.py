"""Contrastive and triplet loss of a batch. B batch; the diagonal pairs a sample with itself."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


def contrastive_loss(distance_BB: Tensor, same_BB: Tensor, margin: float) -> Tensor:
    """Return the contrastive loss: a mean over pairs of d²/2 within a class, max(0, margin − d)²/2 between classes."""
    apart_BB = (margin - (distance_BB + 1e-12).sqrt()).clamp_min(0).square()
    cost_BB = torch.where(same_BB, distance_BB, apart_BB) / 2
    return _mean(cost_BB, torch.ones_like(same_BB).triu(1))


def triplet_loss(distance_BB: Tensor, same_BB: Tensor, margin: float, mining: str) -> Tensor:
    """Return the triplet loss: the mean of max(0, d²(a, positive) − d²(a, negative) + margin) over mined triplets."""
    positive_BB = same_BB & ~torch.eye(len(same_BB), dtype=torch.bool, device=same_BB.device)
    return _MINING[mining](distance_BB, positive_BB, ~same_BB, margin)


def _semi_hard(distance_BB: Tensor, positive_BB: Tensor, negative_BB: Tensor, margin: float) -> Tensor:
    """Take for every positive the nearest negative that is farther away, or the farthest where none is."""
    rising_BB = distance_BB.masked_fill(~negative_BB, torch.inf).sort(1).values  # the negatives first
    farther_BB = torch.searchsorted(rising_BB.detach(), distance_BB.detach().contiguous(), right=True)
    chosen_BB = farther_BB.minimum(negative_BB.sum(1, keepdim=True) - 1).clamp_min(0)
    taken_BB = positive_BB & negative_BB.any(1, keepdim=True)
    negative = rising_BB.gather(1, chosen_BB).masked_fill(~taken_BB, 0)
    return _mean(F.relu(distance_BB - negative + margin), taken_BB)


def _batch_hard(distance_BB: Tensor, positive_BB: Tensor, negative_BB: Tensor, margin: float) -> Tensor:
    """Take for every anchor its farthest positive and its nearest negative."""
    taken_B = positive_BB.any(1) & negative_BB.any(1)
    farthest_B = distance_BB.masked_fill(~positive_BB, 0).amax(1)
    nearest_B = distance_BB.masked_fill(~negative_BB, torch.inf).amin(1).masked_fill(~taken_B, 0)
    return _mean(F.relu(farthest_B - nearest_B + margin), taken_B)


def _batch_all(distance_BB: Tensor, positive_BB: Tensor, negative_BB: Tensor, margin: float) -> Tensor:
    """Take all triplets that cost anything."""
    cost_BBB = F.relu(distance_BB[:, :, None] - distance_BB[:, None, :] + margin)
    return _mean(cost_BBB, positive_BB[:, :, None] & negative_BB[:, None, :] & (cost_BBB > 0))


_MINING: dict[str, Callable[[Tensor, Tensor, Tensor, float], Tensor]] = {
    "semi_hard": _semi_hard,
    "hard": _batch_hard,
    "all": _batch_all,
}


def _mean(cost: Tensor, taken: Tensor) -> Tensor:
    """Return the mean of what is taken; of nothing, nothing."""
    return (cost * taken).sum() / taken.sum().clamp_min(1)
