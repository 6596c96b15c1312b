from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.errors import ShapeError
from dlx.layers import Layer, require_axes
from dlx.layers._axes import IMAGES
from dlx.tensors import Cost, TensorSpec
from dlx.windows import Sizes, format_sizes, per_axis

if TYPE_CHECKING:
    from torch import nn


class Pad(Layer):
    """Padding: puts a border around an image.

    zeros; reflect mirrors the image at its edge, replicate repeats the edge, circular goes on at the other side.

    Shapes:  (C, H, W) → (C, H + 2·padding, W + 2·padding); 1 and 3 spatial dimensions alike.
    Raises:  ShapeError if reflect or circular needs more than the image has.
    Source:  torch.nn.ZeroPad2d, ReflectionPad2d, ReplicationPad2d, CircularPad2d.

    Example:
        {pad: 2}
    """

    primary: ClassVar[str] = "padding"
    type: Literal["pad"] = "pad"
    padding: Sizes
    """Width of the border; a list gives each dimension its own."""
    mode: Literal["zeros", "reflect", "replicate", "circular"] = "zeros"
    """How the border is filled."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        sizes = self._sizes(x)
        most = {"reflect": -1, "circular": 0}.get(self.mode)
        if most is not None and any(n is not None and p > n + most for p, n in zip(sizes, x.spatial, strict=True)):
            raise ShapeError(
                f"a {format_sizes(x.spatial)} input is too small for a {self.mode} border of {format_sizes(sizes)}"
            )
        space = (None if n is None else n + 2 * p for p, n in zip(sizes, x.spatial, strict=True))
        return x.with_dims((x.dims[0], *space))

    def cost(self, x: TensorSpec) -> Cost:
        return Cost()

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        kind = {"zeros": "Zero", "reflect": "Reflection", "replicate": "Replication", "circular": "Circular"}[self.mode]
        make: type[nn.Module] = getattr(nn, f"{kind}Pad{len(x.spatial)}d")
        return make(
            tuple(p for size in reversed(self._sizes(x)) for p in (size, size))
        )  # torch wants the last axis first

    def _sizes(self, x: TensorSpec) -> tuple[int, ...]:
        return per_axis(self.padding, len(require_axes(x, IMAGES, self.type).spatial), "padding")
