from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.layers._axes import IMAGES, num_features
from dlx.tensors import Cost, TensorSpec
from dlx.windows import Padding, Sizes, Window, make_window

if TYPE_CHECKING:
    from torch import nn

Inputs = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(strict=False, min_length=1)]


class ConnectedConv(Layer):
    """Convolution with a connection table: every output channel sees only the input channels that the table lists.

    Breaks the symmetry between channels and saves parameters, as in the layer C3 of LeNet-5. Only the connections
    of the table have weights; they are computed as a dense filter with zeros elsewhere.

    Shapes:  (C, H, W) → (rows of the table, H', W'), as `conv`; 1 and 3 spatial dimensions alike.
    Raises:  ShapeError if the table names a channel that does not come in, or the kernel does not fit.
    Source:  LeCun et al. 1998, table I.

    Example:
        {connected_conv: {table: [[0, 1], [1, 2], [0, 1, 2]], kernel: 3}}
    """

    type: Literal["connected_conv"] = "connected_conv"
    table: Annotated[tuple[Inputs, ...], Field(strict=False, min_length=1)]
    """The input channels of each output channel, counted from 0."""
    kernel: Sizes
    """Side of the filters; a list gives each dimension its own."""
    stride: Sizes = 1
    """Step between two positions."""
    padding: Padding = "valid"
    """Zeros on each side: valid for none, same for as many outputs as inputs (divided by stride), or how many."""
    bias: bool = True
    """Whether a bias is added."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        self._inputs(x)
        return x.with_dims((len(self.table), *self._window(x).slide(x.spatial)))

    def cost(self, x: TensorSpec) -> Cost:
        size = prod(self._window(x).kernel)
        connections = sum(len(inputs) for inputs in self.table)
        return Cost(
            parameters=connections * size + len(self.table) * self.bias,
            macs=self._inputs(x) * size * self.shape(x).elements,
            activations=x.elements,
        )

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.connected_conv.module import TableConv

        w = self._window(x)
        return TableConv(self.table, self._inputs(x), w.kernel, w.stride, w.padding, self.bias)

    def _inputs(self, x: TensorSpec) -> int:
        inputs = num_features(x, self.type, IMAGES)
        for o, row in enumerate(self.table):
            if max(row) >= inputs or len(set(row)) < len(row):
                text = f"output channel {o} is connected to {list(row)}"
                raise ShapeError(
                    f"{text}, but must name some of the channels 0 to {inputs - 1}, each once", ("table", o)
                )
        return inputs

    def _window(self, x: TensorSpec) -> Window:
        return make_window(len(x.spatial), self.kernel, self.stride, self.padding)
