from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.initializers import Initializer

if TYPE_CHECKING:
    from torch import Tensor


class Zeros(Initializer):
    """Zero initialization: every weight starts at zero.

    Fine for a network of one layer; in a deeper one all units of a layer stay equal and nothing is learned.

    Source:  torch.nn.init.zeros_.

    Example:
        zeros
    """

    type: Literal["zeros"] = "zeros"

    def fill(self, weight: Tensor, gain: float) -> None:
        from torch.nn import init

        init.zeros_(weight)
