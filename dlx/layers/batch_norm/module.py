"""Batch norm for every order of axes. B batch, T time, F features."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class TimeBatchNorm(nn.BatchNorm1d):
    """Batch norm of (B, T, F): each feature over the batch and all times."""

    def forward(self, x_BTF: Tensor) -> Tensor:
        """Return normalized features of the same shape."""
        return super().forward(x_BTF.transpose(1, 2)).transpose(1, 2)


def batch_norm(axes: str, features: int, eps: float, momentum: float, start: float | None) -> _BatchNorm:
    """Return batch normalization of features of these axes; `start` is the initial scale, None for no affine map."""
    by_rank: dict[int, type[_BatchNorm]] = {1: nn.BatchNorm1d, 2: nn.BatchNorm1d, 3: nn.BatchNorm2d, 4: nn.BatchNorm3d}
    make = TimeBatchNorm if axes == "TF" else by_rank[len(axes)]
    norm = make(features, eps, momentum, affine=start is not None)
    if start is not None:
        nn.init.constant_(norm.weight, start)
    return norm
