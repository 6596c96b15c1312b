"""Scaling: the units in which samples and noise are of one size."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlx.tensors import Stats, TensorSpec


class Scaling(nn.Module):
    """(x − center) / width, one of each for a channel or feature, and the scaled range of the train split."""

    def __init__(self, center: Tensor, width: Tensor, low: Tensor, high: Tensor) -> None:
        super().__init__()
        buffers = {"center": center, "width": width, "low": (low - center) / width, "high": (high - center) / width}
        for name, value in buffers.items():
            self.register_buffer(name, value, persistent=False)
        self.center: Tensor
        self.width: Tensor
        self.low: Tensor
        self.high: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Return scaled samples."""
        return (x - self.center) / self.width

    def inverse(self, x: Tensor) -> Tensor:
        """Return samples in the units of the data."""
        return x * self.width + self.center


def build_scaling(spec: TensorSpec, method: str) -> Scaling:
    """Return the scaling of a field's samples: by their range (`min_max`), mean and deviation (`standard`), or `none`.

    What the train split does not say of a field stays as it is, and has no range.
    """
    stats = spec.stats or Stats()
    low, high = _per_feature(stats.low, spec, -torch.inf), _per_feature(stats.high, spec, torch.inf)
    center, width = torch.zeros_like(low), torch.ones_like(low)
    if method == "min_max" and stats.low:
        center, width = (high + low) / 2, (high - low) / 2
    if method == "standard" and stats.mean:
        center, width = _per_feature(stats.mean, spec, 0.0), _per_feature(stats.std, spec, 1.0)
    return Scaling(center, torch.where(width > 0, width, 1.0), low, high)


def _per_feature(values: tuple[float, ...], spec: TensorSpec, default: float) -> Tensor:
    """Return one number for each channel or feature, laid out as samples are, with a dimension for the batch."""
    given = torch.tensor(values or (default,))
    trailing = len(spec.dims) - 1 if spec.axes.startswith("C") else 0
    return given.view(1, -1, *[1] * trailing) if trailing else given.unsqueeze(0)
