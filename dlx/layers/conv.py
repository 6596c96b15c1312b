from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.layers._axes import IMAGES, num_features
from dlx.tensors import Cost, TensorSpec
from dlx.windows import Padding, Sizes, Window, make_window

if TYPE_CHECKING:
    from torch import nn


class Conv(Layer):
    """Convolution: slides learned filters over an image, a volume or a signal.

    y[o] = b[o] + Σ_c w[o, c] ⋆ x[c]: weights are shared over all positions, so that what is learned at one place holds
    at all. The number of spatial dimensions is the input's. groups splits the channels into parts that do not see
    each other; as many groups as channels make a depthwise convolution.

    Shapes:  (C, L) → (channels, L'); (C, H, W) → (channels, H', W'); (C, D, H, W) → (channels, D', H', W'), with
             size' = ⌊(size + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1.
    Raises:  ShapeError if the kernel is larger than the padded input, or groups does not divide the channels.
    Source:  LeCun et al. 1998; torch.nn.Conv2d.

    Example:
        {conv: {channels: 16, kernel: 3, padding: same}}
    """

    has_one_weight: ClassVar[bool] = True
    type: Literal["conv"] = "conv"
    channels: int = Field(gt=0)
    """Number of filters."""
    kernel: Sizes
    """Side of the filters; a list gives each dimension its own."""
    stride: Sizes = 1
    """Step between two positions."""
    padding: Padding = "valid"
    """Zeros on each side: valid for none, same for as many outputs as inputs (divided by stride), or how many."""
    dilation: Sizes = 1
    """Distance between two inputs of a filter."""
    groups: int = Field(1, gt=0)
    """Into how many parts the channels are split."""
    bias: bool = True
    """Whether a bias is added."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        self._inputs(x)
        return x.with_dims((self.channels, *self._window(x).slide(x.spatial)))

    def cost(self, x: TensorSpec) -> Cost:
        weights = self.channels * self._inputs(x) // self.groups * prod(self._window(x).kernel)
        positions = self.shape(x).elements // self.channels
        return Cost(weights + self.channels * self.bias, macs=weights * positions, activations=x.elements)

    def workspace_elements(self, x: TensorSpec) -> int:
        return 2 * super().workspace_elements(x)  # oneDNN copies its inputs into its own layout

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        inputs, w = self._inputs(x), self._window(x)
        make = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[len(x.spatial) - 1]
        return make(inputs, self.channels, w.kernel, w.stride, w.padding, w.dilation, self.groups, self.bias)  # type: ignore[arg-type]

    def _inputs(self, x: TensorSpec) -> int:
        inputs = num_features(x, self.type, IMAGES)
        if inputs % self.groups or self.channels % self.groups:
            raise ShapeError(f"groups {self.groups} does not divide {inputs} input and {self.channels} output channels")
        return inputs

    def _window(self, x: TensorSpec) -> Window:
        return make_window(len(x.spatial), self.kernel, self.stride, self.padding, self.dilation)
