from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.layers import require_axes
from dlx.layers._axes import IMAGES
from dlx.layers._pool import Pool
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import nn


class AvgPool(Pool):
    """Average pooling: the mean of each window.

    Makes the image smaller and smoother; `max_pool` keeps the strongest response instead.

    Shapes:  (C, H, W) → (C, H', W') with size' = ⌊(size + 2·padding − kernel) / stride⌋ + 1; 1 and 3 dimensions
             alike.
    Raises:  ShapeError if the kernel is larger than the padded input.
    Source:  torch.nn.AvgPool2d.

    Example:
        {avg_pool: 2}
    """

    type: Literal["avg_pool"] = "avg_pool"
    count_include_pad: bool = True
    """Whether the zeros of the padding count in the mean."""

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        n = len(require_axes(x, IMAGES, self.type).spatial)
        w = self._window(x)
        make = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)[n - 1]
        return make(w.kernel, w.stride, w.padding, count_include_pad=self.count_include_pad)  # type: ignore[arg-type]
