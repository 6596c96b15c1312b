from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.initializers._xavier import Xavier

if TYPE_CHECKING:
    from torch import Tensor


class XavierNormal(Xavier):
    """Xavier (Glorot) normal initialization: standard deviation gain · √(2 / (fan_in + fan_out)).

    Keeps the variance of activations and of gradients alike from layer to layer. For tanh, sigmoid and linear
    layers.

    Source:  Glorot & Bengio 2010; torch.nn.init.xavier_normal_.

    Example:
        xavier_normal
    """

    type: Literal["xavier_normal"] = "xavier_normal"

    def fill(self, weight: Tensor, gain: float) -> None:
        from torch.nn import init

        init.xavier_normal_(weight, self._factor(gain))
