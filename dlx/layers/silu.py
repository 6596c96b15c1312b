from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.layers._activation import Activation
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import nn


class SiLU(Activation):
    """Sigmoid linear unit (SiLU, swish): x · σ(x).

    Smooth and not monotone; usual in EfficientNet and diffusion networks.

    Source:  Elfwing et al. 2017, arXiv:1702.03118; torch.nn.SiLU.

    Example:
        silu
    """

    type: Literal["silu"] = "silu"

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        return nn.SiLU()

    def gain(self) -> float:
        return 1.677  # 1 / √E[f(z)²] for standard normal z
