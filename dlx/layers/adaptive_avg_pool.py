from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.layers._adaptive_pool import AdaptivePool
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import nn


class AdaptiveAvgPool(AdaptivePool):
    """Adaptive average pooling: pools an image of any size to a fixed output size, by the mean of each window.

    Output i of n summarizes the inputs from ⌊i·size/n⌋ to ⌈(i+1)·size/n⌉.

    Shapes:  (C, H, W) → (C, output_size, output_size); 1 and 3 spatial dimensions alike.
    Source:  torch.nn.AdaptiveAvgPool2d.

    Example:
        {adaptive_avg_pool: 4}
    """

    type: Literal["adaptive_avg_pool"] = "adaptive_avg_pool"

    def onnx_refusal(self, x: TensorSpec) -> str | None:
        if len(x.spatial) == 3:
            return "ONNX has no adaptive average pooling in 3 dimensions: write avg_pool with a kernel"
        return None

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        make = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)[len(x.spatial) - 1]
        return make(self._sizes(x))  # type: ignore[arg-type]
