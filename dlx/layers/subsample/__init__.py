from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.layers import Layer
from dlx.layers._axes import IMAGES, num_features
from dlx.tensors import Cost, TensorSpec
from dlx.windows import Sizes, Window, make_window

if TYPE_CHECKING:
    from torch import nn


class Subsample(Layer):
    """Trainable subsampling: sums each window, multiplies by a learned coefficient and adds a learned bias, by channel.

    The pooling of the first convolutional networks; windows do not overlap. Its initial value is the mean.

    Shapes:  (C, H, W) → (C, ⌊H / kernel⌋, ⌊W / kernel⌋); 1 and 3 spatial dimensions alike.
    Raises:  ShapeError if the kernel is larger than the input.
    Source:  LeCun et al. 1998 (layers S2 and S4 of LeNet-5).

    Example:
        {subsample: 2}
    """

    primary: ClassVar[str] = "kernel"
    type: Literal["subsample"] = "subsample"
    kernel: Sizes = 2
    """Side of the window; a list gives each dimension its own."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        channels = num_features(x, self.type, IMAGES)
        return x.with_dims((channels, *self._window(x).slide(x.spatial)))

    def cost(self, x: TensorSpec) -> Cost:
        kept = x.elements + self.shape(x).elements
        return Cost(parameters=2 * num_features(x, self.type, IMAGES), activations=kept)

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.subsample.module import TrainableSubsampling

        return TrainableSubsampling(num_features(x, self.type, IMAGES), self._window(x).kernel)

    def _window(self, x: TensorSpec) -> Window:
        return make_window(len(x.spatial), self.kernel, self.kernel, "valid")
