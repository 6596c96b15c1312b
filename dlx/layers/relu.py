from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.layers._activation import Activation
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import nn


class ReLU(Activation):
    """Rectified linear unit (ReLU): max(0, x).

    Its gradient does not vanish where it is active, so that deep networks train; a unit that is never active stays
    dead.

    Source:  Nair & Hinton 2010; torch.nn.ReLU.

    Example:
        {type: relu}
    """

    saves_output: ClassVar[bool] = True
    type: Literal["relu"] = "relu"

    def build(self, x: TensorSpec) -> nn.Module:
        from torch import nn

        return nn.ReLU()

    def gain(self) -> float:
        return math.sqrt(2)
