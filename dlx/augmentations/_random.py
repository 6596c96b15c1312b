"""Draws that several augmentations need. Imports torch: only within `build`.

Small draws are made on the CPU and then moved, so that they are the same on every device.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot


def sample_mask(batch: Tensor, p: float) -> Tensor:
    """Return a mask (B, 1, …) that is true for each sample with probability p."""
    mask = torch.rand(len(batch)) < p
    return mask.to(batch.device, non_blocking=True).reshape(-1, *[1] * (batch.ndim - 1))


def sample_lambda(batch: Tensor, alpha: float, p: float) -> Tensor:
    """Return for each sample (B,) on the CPU the share that it keeps: Beta(α, α) with probability p, else 1."""
    drawn = torch.distributions.Beta(alpha, alpha).sample((len(batch),))
    return torch.where(torch.rand(len(batch)) < p, drawn, 1.0)


def mix_targets(target: Tensor | None, partner: Tensor, share_B: Tensor, classes: int) -> Tensor | None:
    """Return share · target + (1 − share) · target of the partner; class indices become probabilities (B, classes)."""
    if target is None:
        return None
    if classes and not target.is_floating_point() and target.ndim == 1:
        target = one_hot(target, classes)
    target = target if target.is_floating_point() else target.float()
    share = share_B.to(target).reshape(-1, *[1] * (target.ndim - 1))
    return torch.lerp(target[partner], target, share)


def random_windows(images_BCHW: Tensor, size: tuple[int, int]) -> Tensor:
    """Cut a window of this size out of each image at a random place."""
    batch, _, height, width = images_BCHW.shape
    rows, columns = (
        (torch.randint(0, whole - part + 1, (batch, 1)) + torch.arange(part)).to(images_BCHW.device, non_blocking=True)
        for whole, part in zip((height, width), size, strict=True)
    )
    samples = torch.arange(batch, device=images_BCHW.device)[:, None, None]
    return images_BCHW.permute(0, 2, 3, 1)[samples, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def random_rectangles(area_B: Tensor, height: int, width: int) -> Tensor:
    """Return masks (B, H, W) of rectangles with these shares of the area about random pixels, cut off at the edge."""
    rows, columns = (_interval(area_B.sqrt(), side) for side in (height, width))
    return rows[:, :, None] & columns[:, None, :]


def _interval(share_B: Tensor, side: int) -> Tensor:
    """Return masks (B, side) of intervals with these shares of the side about random pixels."""
    half_B1 = (share_B * side / 2).round()[:, None]
    center_B1 = torch.randint(0, side, (len(share_B), 1))
    pixel = torch.arange(side)
    return (pixel >= center_B1 - half_B1) & (pixel < center_B1 + half_B1)


def flip(images: Tensor, masks: Tensor | None, axis: int, p: float) -> tuple[Tensor, Tensor | None]:
    """Mirror each image, and its mask, along an axis with probability p."""
    same = ~sample_mask(images, p)
    return images.where(same, images.flip(axis)), None if masks is None else masks.where(same, masks.flip(axis))
