from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.layers._activation import Activation
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import nn


class GELU(Activation):
    """Gaussian error linear unit (GELU): x · Φ(x), with Φ the normal distribution function.

    The usual activation of transformers; smooth, and slightly negative for small negative inputs.

    Source:  Hendrycks & Gimpel 2016, arXiv:1606.08415; torch.nn.GELU.

    Example:
        gelu
    """

    type: Literal["gelu"] = "gelu"
    approximate: Literal["none", "tanh"] = "none"
    """tanh computes Φ by the approximation of the paper, as GPT-2 does."""

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        return nn.GELU(approximate=self.approximate)

    def gain(self) -> float:
        return 1.534  # 1 / √E[f(z)²] for standard normal z
