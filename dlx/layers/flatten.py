from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.errors import ShapeError
from dlx.layers import Layer, require_numeric
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class Flatten(Layer):
    """Flatten: all dimensions of a sample become one.

    Goes between an image and a linear layer. `global_pool` does not tie the network to one size.

    Shapes:  (C, H, W) → (C·H·W,); a scalar → (1,).
    Raises:  ShapeError if a dimension is unknown.
    Source:  torch.nn.Flatten.

    Example:
        flatten
    """

    type: Literal["flatten"] = "flatten"

    def shape(self, x: TensorSpec) -> TensorSpec:
        if None in require_numeric(x, self.type).dims:
            raise ShapeError(
                f"flatten needs to know every dimension, but gets {x}; use `global_pool` for varying sizes"
            )
        return x.with_dims((x.elements,), "F")

    def cost(self, x: TensorSpec) -> Cost:
        return Cost()

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        return nn.Flatten() if x.dims else nn.Unflatten(0, (-1, 1))
