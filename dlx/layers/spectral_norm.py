from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Child, Layer, build_layer, infer_shape
from dlx.layers._axes import feature_axis
from dlx.tensors import Cost, Spec, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class SpectralNorm(Layer):
    """Spectral normalization: divides the weights of a layer by their largest singular value, its Lipschitz constant.

    A discriminator of such layers is 1-Lipschitz, which stabilizes a GAN at almost no cost: the singular value is
    estimated by one step of power iteration in every training step.

    Shapes:  those of the layer.
    Raises:  ShapeError if the layer is not a single matrix or convolution.
    Source:  Miyato et al. 2018, arXiv:1802.05957; torch.nn.utils.parametrizations.spectral_norm.

    Example:
        {spectral_norm: {layer: {linear: 16}}}
    """

    primary: ClassVar[str] = "layer"
    type: Literal["spectral_norm"] = "spectral_norm"
    layer: Layer
    """The layer whose weights are divided: linear, conv or conv_transpose."""
    n_power_iterations: int = Field(1, gt=0)
    """Steps of power iteration in each training step."""

    def children(self, x: TensorSpec) -> list[Child]:
        return [Child("layer", ("layer",), self.layer, x)]

    def shape(self, x: TensorSpec) -> Spec:
        y = infer_shape(("layer",), self.layer, x)
        if not self.layer.has_one_weight:
            message = (
                f"spectral_norm takes a layer with one matrix of weights, such as linear or conv, not {self.layer.type}"
            )
            raise ShapeError(message, ("layer",))
        return y

    def cost(self, x: TensorSpec) -> Cost:
        own, y = self.layer.cost(x), self.shape(x)
        assert isinstance(y, TensorSpec)
        rows = y.dims[feature_axis(y)] or 1
        columns = own.parameters // rows - bool(getattr(self.layer, "bias", False))
        return own + Cost(buffers=rows + columns)

    def build(self, x: TensorSpec) -> nn.Module:
        from torch.nn.utils.parametrizations import spectral_norm

        from dlx.nn.context import make_sequential

        return make_sequential(
            {"layer": spectral_norm(build_layer(self.layer, x), n_power_iterations=self.n_power_iterations)}
        )
