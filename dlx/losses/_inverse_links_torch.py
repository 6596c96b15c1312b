"""Inverse link functions: from a network's output to its prediction.   B batch, K classes or outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from dlx.losses._inverse_links import InverseLink


def softmax(output_BK: torch.Tensor) -> torch.Tensor:
    """Return exp(z) / Σ exp(z): probabilities of classes from logits."""
    return output_BK.softmax(1)


def sparsemax(output_BK: torch.Tensor) -> torch.Tensor:
    """Return the nearest probabilities, that is the Euclidean projection onto the simplex (Martins & Astudillo 2016).

    Outputs that are probabilities stay as they are, and the order of classes is kept.
    """
    sorted_BK = output_BK.sort(1, descending=True).values
    excess_BK = sorted_BK.cumsum(1) - 1
    rank_K = torch.arange(1, output_BK.shape[1] + 1, device=output_BK.device, dtype=output_BK.dtype)
    rank_BK = rank_K.reshape(-1, *[1] * (output_BK.ndim - 2)).expand_as(output_BK)
    support_B1 = (rank_BK * sorted_BK > excess_BK).sum(1, keepdim=True).clamp(min=1)
    threshold_B1 = excess_BK.gather(1, support_B1 - 1) / support_B1
    return (output_BK - threshold_B1).clamp(0, 1)


def clip(output_BK: torch.Tensor) -> torch.Tensor:
    """Return the nearest value in [0, 1]: the probability of a label from an estimate of its mean."""
    return output_BK.clamp(0, 1)


def identity(output_BK: torch.Tensor) -> torch.Tensor:
    """Return the output itself."""
    return output_BK


INVERSE_LINKS: Mapping[InverseLink, Callable[[torch.Tensor], torch.Tensor]] = {
    "identity": identity,
    "exp": torch.exp,
    "softmax": softmax,
    "sigmoid": torch.sigmoid,
    "sparsemax": sparsemax,
    "clip": clip,
}
