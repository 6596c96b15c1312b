from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.layers._axes import IMAGES, num_features
from dlx.tensors import Cost, Dim, TensorSpec
from dlx.windows import Padding, Sizes, format_sizes, per_axis

if TYPE_CHECKING:
    from torch import nn

Numbers = tuple[int, ...]


class ConvTranspose(Layer):
    """Transposed convolution (deconvolution): learned filters, added up at every pixel, make a larger image.

    Upsampling in generators and segmentation networks. A kernel that is a multiple of the stride avoids
    checkerboard artifacts.

    Shapes:  (C, H, W) → (channels, H', W') with size' = (size − 1)·stride − 2·padding + dilation·(kernel − 1) + 1;
             with padding same, size' = size · stride. 1 and 3 spatial dimensions alike.
    Raises:  ShapeError if padding leaves nothing, or groups does not divide the channels.
    Source:  Zeiler et al. 2010; torch.nn.ConvTranspose2d.

    Example:
        {conv_transpose: {channels: 8, kernel: 4, stride: 2, padding: 1}}
    """

    has_one_weight: ClassVar[bool] = True
    type: Literal["conv_transpose"] = "conv_transpose"
    channels: int = Field(gt=0)
    """Number of output channels."""
    kernel: Sizes
    """Side of the filters; a list gives each dimension its own."""
    stride: Sizes = 1
    """Step between two outputs of one filter: by how much the image becomes larger."""
    padding: Padding = "valid"
    """Cut off each side: valid for nothing, same for exactly stride times as many outputs as inputs, or how many."""
    dilation: Sizes = 1
    """Distance between two outputs of a filter."""
    groups: int = Field(1, gt=0)
    """Into how many parts the channels are split."""
    bias: bool = True
    """Whether a bias is added."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        self._inputs(x)
        kernel, stride, dilation = self._sizes(x)
        padding, extra = self._paddings(x)
        parts = zip(x.spatial, kernel, stride, dilation, padding, extra, strict=True)
        space: tuple[Dim, ...] = tuple(
            None if n is None else (n - 1) * s - 2 * p + d * (k - 1) + 1 + e for n, k, s, d, p, e in parts
        )
        if any(n is not None and n <= 0 for n in space):
            raise ShapeError(f"padding {format_sizes(padding)} leaves nothing of a {format_sizes(x.spatial)} input")
        return x.with_dims((self.channels, *space))

    def cost(self, x: TensorSpec) -> Cost:
        inputs = self._inputs(x)
        weights = inputs * self.channels // self.groups * prod(self._sizes(x)[0])
        return Cost(weights + self.channels * self.bias, macs=weights * (x.elements // inputs), activations=x.elements)

    def workspace_elements(self, x: TensorSpec) -> int:
        return 2 * super().workspace_elements(x)  # oneDNN copies its inputs into its own layout

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        inputs, (kernel, stride, dilation), (padding, extra) = self._inputs(x), self._sizes(x), self._paddings(x)
        make = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[len(x.spatial) - 1]
        return make(inputs, self.channels, kernel, stride, padding, extra, self.groups, self.bias, dilation)  # type: ignore[arg-type]

    def _inputs(self, x: TensorSpec) -> int:
        inputs = num_features(x, self.type, IMAGES)
        if inputs % self.groups or self.channels % self.groups:
            raise ShapeError(f"groups {self.groups} does not divide {inputs} input and {self.channels} output channels")
        return inputs

    def _sizes(self, x: TensorSpec) -> tuple[Numbers, Numbers, Numbers]:
        n = len(x.spatial)
        stride, dilation = per_axis(self.stride, n, "stride"), per_axis(self.dilation, n, "dilation")
        return per_axis(self.kernel, n, "kernel"), stride, dilation

    def _paddings(self, x: TensorSpec) -> tuple[Numbers, Numbers]:
        """Return what is cut off each side, and what torch calls output padding."""
        kernel, stride, dilation = self._sizes(x)
        none = (0,) * len(kernel)
        if not isinstance(self.padding, str):
            return per_axis(self.padding, len(kernel), "padding"), none
        if self.padding == "valid":
            return none, none
        surplus = [d * (k - 1) + 1 - s for k, s, d in zip(kernel, stride, dilation, strict=True)]
        cut = tuple(max(0, (n + 1) // 2) for n in surplus)
        extra = tuple(2 * c - n for c, n in zip(cut, surplus, strict=True))
        if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
            raise ShapeError(
                f"padding: same needs an odd kernel where stride is 1, but kernel is {format_sizes(kernel)}"
            )
        return cut, extra
