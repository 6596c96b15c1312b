from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.initializers import Initializer

if TYPE_CHECKING:
    from torch import Tensor


class KaimingNormal(Initializer):
    """Kaiming (He) normal initialization: standard deviation gain / √fan.

    Keeps the variance of activations (fan_in) or of gradients (fan_out) through the activation that follows. For
    relu and similar activations.

    Source:  He et al. 2015, arXiv:1502.01852; torch.nn.init.kaiming_normal_.

    Example:
        kaiming_normal
    """

    type: Literal["kaiming_normal"] = "kaiming_normal"
    mode: Literal["fan_in", "fan_out"] = "fan_in"
    """Whether the forward or the backward pass keeps its variance."""

    @property
    def uses_gain(self) -> bool:
        return True

    def fill(self, weight: Tensor, gain: float) -> None:
        from torch.nn import init

        init.kaiming_normal_(weight, mode=self.mode, nonlinearity="linear")
        weight.mul_(gain)
