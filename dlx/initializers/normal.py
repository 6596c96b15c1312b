from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.initializers import Initializer

if TYPE_CHECKING:
    from torch import Tensor


class Normal(Initializer):
    """Weights are drawn from a normal distribution of a fixed width.

    The width does not follow the layer's size: too wide a distribution explodes, too narrow a one fades.

    Source:  torch.nn.init.normal_.

    Example:
        {normal: 0.02}
    """

    primary: ClassVar[str] = "std"
    type: Literal["normal"] = "normal"
    std: float = Field(0.02, gt=0)
    """Standard deviation."""
    mean: float = 0.0
    """Mean."""

    def fill(self, weight: Tensor, gain: float) -> None:
        from torch.nn import init

        init.normal_(weight, self.mean, self.std)
