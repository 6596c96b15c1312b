from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.layers import Layer
from dlx.layers._axes import num_features, require_unpadded
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class MovingAverage(Layer):
    """Moving average of a sequence: its trend, or what remains of it without the trend.

    Each step becomes the mean of `kernel` steps around it; the first and the last step are repeated beyond the ends.
    The decomposition of a series into trend and seasonal remainder, of Autoformer and `dlinear`.

    Shapes:  (T, F) → (T, F).
    Raises:  ShapeError if the input is not a sequence of features.
    Source:  Wu et al. 2021, arXiv:2106.13008.

    Example:
        {moving_average: {kernel: 3, remainder: true}}
    """

    primary: ClassVar[str] = "kernel"
    type: Literal["moving_average"] = "moving_average"
    kernel: int = Field(25, gt=0)
    """Steps in the mean; of an even number one more lies after the step than before."""
    remainder: bool = False
    """Whether the remainder is returned: the input minus its moving average."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        num_features(x, self.type, ("TF",))
        require_unpadded(x, self.type, "causal_conv")
        return x.with_dims(x.dims)

    def cost(self, x: TensorSpec) -> Cost:
        return Cost()

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.moving_average.module import CenteredMovingAverage

        return CenteredMovingAverage(self.kernel, self.remainder)
