from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from dlx.layers import Layer
from dlx.models import Model
from dlx.models._blocks import dropout
from dlx.models._sequence import Output, pool_steps, to_sequence
from dlx.tensors import Spec


class TCN(Model):
    """Temporal convolutional network (TCN): residual blocks of causal convolutions with growing dilation.

    Block i: two times (convolution with dilation 2^i → activation → dropout), plus its input, then the activation.
    The last step sees 1 + 2 (kernel − 1)(2^blocks − 1) steps back. All steps are computed at once, and gradients do
    not run through time, which makes it faster and steadier to train than recurrent networks.

    Shapes:  (T,) tokens, (T, F) or (1, H, W) → (last of channels,); (T, last of channels) with `output: steps`.
    Units:   dropout is a probability.
    Raises:  ShapeError if the input is no sequence.
    Source:  Bai et al. 2018, arXiv:1803.01271. Deviations: dropout of single elements, as in the paper's code.

    Example:
        {type: tcn, channels: [16, 16], kernel: 3, embedding_dim: 16}
    """

    type: Literal["tcn"] = "tcn"
    channels: Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(strict=False, min_length=1)] = (25,) * 8
    """Features of each block, from input to output."""
    kernel: int = Field(7, gt=1)
    """Number of steps that a filter sees."""
    activation: Layer = Field(default="relu", validate_default=True)
    """Activation behind every convolution, and behind the sum."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Probability that an activation is set to zero in training; 0 leaves the layer out."""
    weight_norm: bool = True
    """Weight normalization: whether the norm of each filter is learned apart from its direction."""
    embedding_dim: int = Field(100, gt=0)
    """Size of a token's vector; input that is features already needs none."""
    output: Output = "last"
    """Pooling of the steps: the last, their mean, maximum or attention, or none (steps)."""

    def architecture(self, x: Spec) -> list[Any]:
        blocks = [self._block(features, 2**i) for i, features in enumerate(self.channels)]
        return [*to_sequence(x, self.embedding_dim, self.type), *blocks, *pool_steps(self.output, 0.0)]

    def _block(self, features: int, dilation: int) -> dict[str, Any]:
        conv = {"features": features, "kernel": self.kernel, "dilation": dilation, "weight_norm": self.weight_norm}
        half = [{"causal_conv": conv}, self.activation, *dropout(self.dropout)]
        return {"residual": {"layers": [*half, *half], "then": self.activation}}
