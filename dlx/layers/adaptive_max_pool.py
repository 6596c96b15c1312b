from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.layers._adaptive_pool import AdaptivePool
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import nn


class AdaptiveMaxPool(AdaptivePool):
    """Adaptive max pooling: pools an image of any size to a fixed output size, by the maximum of each window.

    Output i of n summarizes the inputs from ⌊i·size/n⌋ to ⌈(i+1)·size/n⌉.

    Shapes:  (C, H, W) → (C, output_size, output_size); 1 and 3 spatial dimensions alike.
    Source:  torch.nn.AdaptiveMaxPool2d.

    Example:
        {adaptive_max_pool: 4}
    """

    type: Literal["adaptive_max_pool"] = "adaptive_max_pool"

    def onnx_refusal(self, x: TensorSpec) -> str | None:
        return "ONNX has no adaptive max pooling: write max_pool with a kernel"

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        make = (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d)[len(x.spatial) - 1]
        return make(self._sizes(x))  # type: ignore[arg-type]
