from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.layers._activation import Activation
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import nn


class SELU(Activation):
    """Scaled ELU (SELU): an elu scaled so that activations converge to mean 0 and variance 1.

    λ x for x > 0, λ α (eˣ − 1) otherwise. For deep fully connected networks with the `lecun_normal` initializer and no
    norms.

    Source:  Klambauer et al. 2017, arXiv:1706.02515; torch.nn.SELU.

    Example:
        selu
    """

    type: Literal["selu"] = "selu"

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        return nn.SELU()

    def gain(self) -> float:
        return 3 / 4
