from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Layer, require_numeric
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn

USUAL = {1: "F", 2: "TF", 3: "CHW", 4: "CDHW"}


class Reshape(Layer):
    """Reshape: the same elements in other dimensions, in the same order.

    Shapes:  any → dims; one of them may be −1 for what is left.
    Raises:  ShapeError if the number of elements is not the same, or unknown.
    Source:  torch.nn.Unflatten.

    Example:
        {reshape: [4, 2, 2]}
    """

    primary: ClassVar[str] = "dims"
    type: Literal["reshape"] = "reshape"
    dims: Annotated[tuple[Annotated[int, Field(ge=-1)], ...], Field(strict=False, min_length=1, max_length=4)]
    """The new dimensions, without the batch."""
    axes: Literal["F", "TF", "CL", "CHW", "CDHW"] | None = None
    """The axes of the dimensions; null takes F, TF, CHW or CDHW by their number."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        if None in require_numeric(x, self.type).dims:
            raise ShapeError(f"reshape needs to know every dimension, but gets {x}")
        axes = self.axes or USUAL[len(self.dims)]
        if len(axes) != len(self.dims):
            raise ShapeError(f"reshape has {len(self.dims)} dimensions, but axes {axes} means {len(axes)}")
        known = prod(d for d in self.dims if d != -1)
        left = x.elements // known if known else 0
        dims = tuple(left if d == -1 else d for d in self.dims)
        if self.dims.count(-1) > 1 or prod(dims) != x.elements:
            asked = " × ".join(str(d) for d in self.dims)
            raise ShapeError(f"{x} has {x.elements} elements, which do not fill {asked}")
        return x.with_dims(dims, axes)

    def cost(self, x: TensorSpec) -> Cost:
        return Cost()

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        dims = tuple(d or 1 for d in self.shape(x).dims)
        return nn.Sequential(nn.Flatten(), nn.Unflatten(1, dims)) if x.dims else nn.Unflatten(0, (-1, *dims))
