from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from dlx.initializers import Initializer
from dlx.layers import Layer
from dlx.layers._axes import num_features
from dlx.layers._composite import Composite
from dlx.tensors import TensorSpec


class FeedForward(Composite):
    """Feed-forward network (position-wise MLP): maps every step to more features, through an activation, and back.

    W₂ f(W₁ x). The half of a transformer block that treats each step by itself, and holds most of its parameters. With
    gated the activation is multiplied by a second linear map of the input, W₂ (f(W₁ x) · V x): silu makes that SwiGLU,
    gelu GEGLU, which learn somewhat better for the same number of parameters at two thirds of the hidden size.

    Shapes:  (F,) or (T, F), kept.
    Units:   dropout is a probability.
    Source:  Vaswani et al. 2017, arXiv:1706.03762; gated: Shazeer 2020, arXiv:2002.05202.

    Example:
        {feed_forward: {hidden: 64, activation: silu, gated: true, bias: false}}
    """

    primary: ClassVar[str] = "hidden"
    type: Literal["feed_forward"] = "feed_forward"
    hidden: int = Field(gt=0)
    """Features between the two maps."""
    activation: Layer = Field(default="gelu", validate_default=True)
    """What follows the first map."""
    gated: bool = False
    """Whether the activation is multiplied by a second map of the input."""
    bias: bool = True
    """Whether the linear maps have a bias."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Probability that a hidden feature is set to zero in training; 0 leaves the layer out."""
    out_init: Initializer | None = None
    """Initializer of the second linear map; null takes that of the layer."""

    def expand(self, x: TensorSpec) -> list[Any]:
        features = num_features(x, self.type, ("F", "TF"))
        first = {"linear": {"features": self.hidden, "bias": self.bias}}
        hidden: list[Any] = [first, self.activation]
        if self.gated:
            hidden = [{"branches": {"join": "product", "of": [hidden, first]}}]
        hidden += [{"dropout": self.dropout}] if self.dropout else []
        return [*hidden, {"linear": {"features": features, "bias": self.bias, "init": self.out_init}}]
