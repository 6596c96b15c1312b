from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.initializers import Initializer

if TYPE_CHECKING:
    from torch import Tensor


class LeCunNormal(Initializer):
    """LeCun normal initialization: standard deviation 1 / √fan_in, whatever activation follows.

    Keeps the variance through a linear layer; the initializer of `selu` networks.

    Source:  LeCun et al. 1998, "Efficient BackProp"; torch.nn.init.kaiming_normal_.

    Example:
        lecun_normal
    """

    type: Literal["lecun_normal"] = "lecun_normal"

    def fill(self, weight: Tensor, gain: float) -> None:
        from torch.nn import init

        init.kaiming_normal_(weight, nonlinearity="linear")
