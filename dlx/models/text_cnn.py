from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from dlx.layers import Layer
from dlx.models import Model
from dlx.models._blocks import dropout
from dlx.models._sequence import to_sequence
from dlx.tensors import Spec


class TextCNN(Model):
    """TextCNN: convolutions over a few words and max pooling over time detect informative phrases anywhere in a text.

    embedding → for each kernel: convolution over that many words → relu → maximum over time; all of them side by side →
    dropout. Fast, and hard to beat where a few phrases decide, as in the sentiment of a review. Padding never changes a
    result.

    Shapes:  (T,) tokens or (T, F) → (channels · number of kernels,).
    Units:   dropout is a probability.
    Raises:  ShapeError if the input is no sequence.
    Source:  Kim 2014, arXiv:1408.5882 (CNN-rand). Deviations: zeros stand before the text only, so that a text that
             is shorter than a filter has an answer; the norm of the head's weights is not limited.

    Example:
        {type: text_cnn, embedding_dim: 16, channels: 8}
    """

    type: Literal["text_cnn"] = "text_cnn"
    embedding_dim: int = Field(300, gt=0)
    """Size of a word's vector; input that is features already needs none."""
    kernels: Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(strict=False, min_length=1)] = (3, 4, 5)
    """Kernel sizes, in words: one group of filters each."""
    channels: int = Field(100, gt=0)
    """Number of filters of each kernel size."""
    activation: Layer = Field(default="relu", validate_default=True)
    """Activation behind the convolutions."""
    dropout: float = Field(0.5, ge=0, lt=1)
    """Probability that a feature is set to zero in training; 0 leaves the layer out."""

    def architecture(self, x: Spec) -> list[Any]:
        phrases = [
            [{"causal_conv": {"features": self.channels, "kernel": kernel}}, self.activation, {"time_pool": "max"}]
            for kernel in self.kernels
        ]
        start = to_sequence(x, self.embedding_dim, self.type)
        return [*start, {"branches": phrases}, *dropout(self.dropout)]
