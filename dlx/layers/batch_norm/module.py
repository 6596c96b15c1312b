"""Batch norm for every order of axes. B batch, T time, F features."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class TimeBatchNorm(nn.BatchNorm1d):
    """Batch norm of (B, T, F): each feature over the batch and all times."""

    def forward(self, x_BTF: Tensor) -> Tensor:
        """Return normalized features of the same shape."""
        return super().forward(x_BTF.transpose(1, 2)).transpose(1, 2)


def by_axes(axes: str) -> type[_BatchNorm]:
    """Return the class that normalizes the features of these axes."""
    if axes == "TF":
        return TimeBatchNorm
    return {1: nn.BatchNorm1d, 2: nn.BatchNorm1d, 3: nn.BatchNorm2d, 4: nn.BatchNorm3d}[len(axes)]
