"""Base of pooling over windows."""

from __future__ import annotations

from typing import ClassVar

from dlx.errors import ShapeError
from dlx.layers import Layer, require_axes
from dlx.layers._axes import IMAGES
from dlx.tensors import Cost, TensorSpec
from dlx.windows import Padding, Sizes, Window, format_sizes, make_window


class Pool(Layer):
    """Pooling: one number for each window of each channel."""

    primary: ClassVar[str] = "kernel"
    kernel: Sizes
    """Side of the window; a list gives each dimension its own."""
    stride: Sizes | None = None
    """Step between two windows; null takes the kernel, so that windows do not overlap."""
    padding: Padding = "valid"
    """Added on each side: valid for none, same for as many outputs as inputs (divided by stride), or how many."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        return require_axes(x, IMAGES, self.type).with_dims((x.dims[0], *self._window(x).slide(x.spatial)))

    def cost(self, x: TensorSpec) -> Cost:
        return Cost(activations=require_axes(x, IMAGES, self.type).elements)

    def _window(self, x: TensorSpec) -> Window:
        stride = self.kernel if self.stride is None else self.stride
        w = make_window(len(x.spatial), self.kernel, stride, self.padding)
        if any(2 * p > k for p, k in zip(w.padding, w.kernel, strict=True)):
            raise ShapeError(f"padding {format_sizes(w.padding)} is more than half of kernel {format_sizes(w.kernel)}")
        return w
