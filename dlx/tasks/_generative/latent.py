"""Interpolation between codes, and images along it. R paths, S steps, Z code."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dlx.nn.images import to_image
from dlx.tensors import TensorSpec

PATHS, STEPS = 6, 10  # paths that are drawn, and codes on each


def slerp(one_RZ: Tensor, other_RZ: Tensor, steps: int) -> Tensor:
    """Return codes from one to the other by spherical interpolation (slerp), (R, S, Z).

    Codes of N(0, I) lie near a sphere, of which the straight line between two would leave the surface; where both point
    the same way it is taken all the same.
    """
    share_S1 = torch.linspace(0, 1, steps, device=one_RZ.device).unsqueeze(1)
    cosine_R = torch.cosine_similarity(one_RZ, other_RZ).clamp(-1, 1)
    angle_R11 = cosine_R.acos()[:, None, None]
    sine_R11 = angle_R11.sin()
    arc = [torch.sin(share * angle_R11) / sine_R11 for share in (1 - share_S1, share_S1)]
    line = [share.expand_as(arc[0]) for share in (1 - share_S1, share_S1)]
    first, second = (torch.where(sine_R11 > 1e-4, a, b) for a, b in zip(arc, line, strict=True))
    return first * one_RZ.unsqueeze(1) + second * other_RZ.unsqueeze(1)


def decode_path(decode: Callable[[Tensor], Tensor], codes_RSZ: Tensor, spec: TensorSpec) -> Tensor:
    """Return the images (R, S, C, H, W) that codes are decoded to."""
    images = to_image(decode(codes_RSZ.flatten(0, 1)), spec)
    return images.reshape(*codes_RSZ.shape[:2], *images.shape[1:])
