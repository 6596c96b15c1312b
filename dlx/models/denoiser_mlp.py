from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from dlx.layers import Layer
from dlx.models import Model
from dlx.models._condition import KEY, with_condition
from dlx.models._features import to_features
from dlx.tensors import Spec


class DenoiserMLP(Model):
    """Denoiser MLP: a residual network of linear layers, conditioned on the diffusion time, for points and tables.

    x ← x + W₂ act(film(W₁ act(x))) in every block; film is scaled and shifted by an embedding of the time, and of the
    class where there is one.

    Shapes:  any → (hidden,); everything but features is flattened.
    Raises:  ShapeError if no time is in scope: it is a network for the task diffusion.
    Source:  the residual block of Ho et al. 2020, arXiv:2006.11239, with linear layers for convolutions; film: Perez
             et al. 2018, arXiv:1709.07871.

    Example:
        {type: denoiser_mlp, hidden: 16, num_blocks: 2}
    """

    primary: ClassVar[str] = "hidden"
    type: Literal["denoiser_mlp"] = "denoiser_mlp"
    hidden: int = Field(128, gt=0)
    """Features of every layer, and of the condition."""
    num_blocks: int = Field(3, gt=0)
    """Number of residual blocks."""
    activation: Layer = Field(default="silu", validate_default=True)
    """Activation before every linear layer but the first."""
    time_features: int = Field(64, gt=0, multiple_of=2)
    """Number of sines and cosines of the time embedding."""

    def architecture(self, x: Spec) -> list[Any]:
        branch = [self.activation, {"linear": self.hidden}, {"film": KEY}, self.activation, {"linear": self.hidden}]
        blocks = {"repeat": {"times": self.num_blocks, "layer": {"residual": {"layers": branch}}}}
        then = [*to_features(x), {"linear": self.hidden}, blocks, self.activation]
        return with_condition(x, self.time_features, self.hidden, then)
