from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.initializers._xavier import Xavier

if TYPE_CHECKING:
    from torch import Tensor


class XavierUniform(Xavier):
    """Xavier (Glorot) uniform initialization: between ±gain · √(6 / (fan_in + fan_out)).

    Keeps the variance of activations and of gradients alike from layer to layer. For tanh, sigmoid and linear
    layers.

    Source:  Glorot & Bengio 2010; torch.nn.init.xavier_uniform_.

    Example:
        xavier_uniform
    """

    type: Literal["xavier_uniform"] = "xavier_uniform"

    def fill(self, weight: Tensor, gain: float) -> None:
        from torch.nn import init

        init.xavier_uniform_(weight, self._factor(gain))
