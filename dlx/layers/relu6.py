from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from dlx.layers._activation import Activation
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import nn


class ReLU6(Activation):
    """ReLU6: a relu that is clipped at six, min(max(0, x), 6).

    Bounded activations keep their precision in numbers of few bits; mobile networks use it.

    Source:  Howard et al. 2017, arXiv:1704.04861; torch.nn.ReLU6.

    Example:
        relu6
    """

    type: Literal["relu6"] = "relu6"

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        return nn.ReLU6()

    def gain(self) -> float:
        return math.sqrt(2)
