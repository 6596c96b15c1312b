from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Child, Layer, build_children, infer_shape
from dlx.layers._axes import IMAGES, num_features
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class SqueezeExcitation(Layer):
    """Squeeze and excitation: channel attention that weighs each channel by the mean of all channels over the image.

    y_c = x_c · scale_activation(W₂ activation(W₁ mean(x)))_c. A block costs few parameters and next to no time; it
    goes at the end of a residual branch.

    Shapes:  (C, L), (C, H, W) or (C, D, H, W), kept.
    Raises:  ShapeError if reduction leaves no channel, or scale_activation changes their number.
    Source:  Hu et al. 2018, arXiv:1709.01507.

    Example:
        {squeeze_excitation: 2}
    """

    primary: ClassVar[str] = "reduction"
    type: Literal["squeeze_excitation"] = "squeeze_excitation"
    reduction: int = Field(16, gt=0)
    """Channels divided by the width of the inner layer."""
    activation: Layer = Field(default="relu", validate_default=True)
    """What follows the first linear layer."""
    scale_activation: Layer = Field(default="sigmoid", validate_default=True)
    """What turns the output of the second into weights."""

    def children(self, x: TensorSpec) -> list[Child]:
        channels = num_features(x, self.type, IMAGES)
        if channels < self.reduction:
            raise ShapeError(f"reduction {self.reduction} leaves nothing of {channels} channels")
        y = TensorSpec((channels,), "F")
        children: list[Child] = []
        squeeze = Layer.model_validate({"linear": channels // self.reduction})
        excite = Layer.model_validate({"linear": channels})
        steps = {
            "squeeze": squeeze,
            "activation": self.activation,
            "excite": excite,
            "scale_activation": self.scale_activation,
        }
        for name, layer in steps.items():
            loc = (name,) if name in type(self).model_fields else ()
            children.append(Child(name, loc, layer, y))
            y = infer_shape(loc, layer, y)  # type: ignore[assignment]
        if y.dims != (channels,):
            raise ShapeError(f"scale_activation gives {y} weights for {channels} channels", ("scale_activation",))
        return children

    def shape(self, x: TensorSpec) -> TensorSpec:
        self.children(x)
        return x.with_dims(x.dims)

    def cost(self, x: TensorSpec) -> Cost:
        return super().cost(x) + Cost(activations=x.elements)

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.squeeze_excitation.module import ChannelGate

        return ChannelGate(build_children(self.children(x)))
