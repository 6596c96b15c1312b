"""Tensors of images, put into the range in which they are drawn."""

from __future__ import annotations

import torch
from torch import Tensor

from dlx.tensors import TensorSpec


def to_image(values: Tensor, spec: TensorSpec) -> Tensor:
    """Return images between 0 and 1, channel by channel over the range of the data, and upright; others as they are."""
    if spec.axes != "CHW" or spec.stats is None or not spec.stats.low:
        return values.detach().float().cpu()
    low, high = (torch.tensor(v)[:, None, None] for v in (spec.stats.low, spec.stats.high))
    pictures = ((values.detach().float().cpu() - low) / (high - low).clamp_min(1e-12)).clamp(0, 1)
    return pictures.flip(-2) if spec.origin == "lower" else pictures
