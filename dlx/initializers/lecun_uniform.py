from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.initializers import Initializer

if TYPE_CHECKING:
    from torch import Tensor


class LeCunUniform(Initializer):
    """LeCun uniform initialization: between ±√(3 / fan_in), whatever activation follows.

    Keeps the variance through a linear layer.

    Source:  LeCun et al. 1998, "Efficient BackProp"; torch.nn.init.kaiming_uniform_.

    Example:
        lecun_uniform
    """

    type: Literal["lecun_uniform"] = "lecun_uniform"

    def fill(self, weight: Tensor, gain: float) -> None:
        from torch.nn import init

        init.kaiming_uniform_(weight, nonlinearity="linear")
