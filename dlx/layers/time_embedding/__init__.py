from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Layer, require_context
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class TimeEmbedding(Layer):
    """Sinusoidal time (timestep) embedding: sines and cosines of the diffusion time in the context.

    sin(t ωᵢ) and cos(t ωᵢ) with rates ωᵢ from 1 down to 1 / 10000 in equal ratios. The input itself is not read:
    use it in the `layers` of a `provide`, so that every block can read the embedding.

    Shapes:  any → (features,).
    Units:   time runs from 0 (no noise) to 1000 (nothing but noise), however many steps there are.
    Raises:  ShapeError if nothing provides a time, or features is odd.
    Source:  Ho et al. 2020, arXiv:2006.11239, after Vaswani et al. 2017, arXiv:1706.03762.

    Example:
        {time_embedding: 32}
    """

    primary: ClassVar[str] = "features"
    type: Literal["time_embedding"] = "time_embedding"
    features: int = Field(gt=0)
    """Number of sines and cosines."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        if require_context(x, "time", self.type).dims:
            raise ShapeError("time_embedding takes one time for a sample")
        if self.features % 2:
            raise ShapeError(f"time_embedding makes pairs of sine and cosine, but {self.features} is odd")
        return TensorSpec((self.features,), "F")

    def cost(self, x: TensorSpec) -> Cost:
        return Cost()

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.time_embedding.module import SinusoidalTimeEmbedding

        return SinusoidalTimeEmbedding(self.features)
