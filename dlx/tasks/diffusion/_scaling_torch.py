"""The units in which samples and noise are of one size."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlx.tensors import Stats, TensorSpec


class Scaling(nn.Module):
    """(x − center) / width, one of each for a channel or feature, and the range of the train split after it."""

    def __init__(self, center: Tensor, width: Tensor, low: Tensor, high: Tensor) -> None:
        super().__init__()
        named = {"center": center, "width": width, "low": (low - center) / width, "high": (high - center) / width}
        for name, value in named.items():
            self.register_buffer(name, value, persistent=False)
        self.center: Tensor
        self.width: Tensor
        self.low: Tensor
        self.high: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Return x in scaled units."""
        return (x - self.center) / self.width

    def back(self, x: Tensor) -> Tensor:
        """Return x in the units of the data."""
        return x * self.width + self.center


def scaling(spec: TensorSpec, kind: str) -> Scaling:
    """Return how samples of a field are scaled: by their range (`min_max`), mean and deviation (`standard`), or `none`.

    What the train split does not say of a field stays as it is, and has no range.
    """
    stats = spec.stats or Stats()
    low, high = _spread(stats.low, spec, -torch.inf), _spread(stats.high, spec, torch.inf)
    center, width = torch.zeros_like(low), torch.ones_like(low)
    if kind == "min_max" and stats.low:
        center, width = (high + low) / 2, (high - low) / 2
    if kind == "standard" and stats.mean:
        center, width = _spread(stats.mean, spec, 0.0), _spread(stats.std, spec, 1.0)
    return Scaling(center, torch.where(width > 0, width, 1.0), low, high)


def _spread(values: tuple[float, ...], spec: TensorSpec, otherwise: float) -> Tensor:
    """Return one number for each channel or feature, laid out as samples are, with a dimension for the batch."""
    given = torch.tensor(values or (otherwise,))
    trailing = len(spec.dims) - 1 if spec.axes.startswith("C") else 0
    return given.view(1, -1, *[1] * trailing) if trailing else given.unsqueeze(0)
