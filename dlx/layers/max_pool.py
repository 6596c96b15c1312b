from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.layers import require_axes
from dlx.layers._axes import IMAGES
from dlx.layers._pool import Pool
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import nn


class MaxPool(Pool):
    """Max pooling: the largest number of each window.

    Says whether a pattern is anywhere near, and makes the image smaller. Padding counts as −∞.

    Shapes:  (C, H, W) → (C, H', W') with size' = ⌊(size + 2·padding − kernel) / stride⌋ + 1; 1 and 3 dimensions
             alike.
    Raises:  ShapeError if the kernel is larger than the padded input.
    Source:  torch.nn.MaxPool2d.

    Example:
        {max_pool: 2}
    """

    type: Literal["max_pool"] = "max_pool"

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        n = len(require_axes(x, IMAGES, self.type).spatial)
        w = self._window(x)
        make = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)[n - 1]
        return make(w.kernel, w.stride, w.padding)
