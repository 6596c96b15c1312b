from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.initializers import Initializer

if TYPE_CHECKING:
    from torch import Tensor


class Normal(Initializer):
    """Normal initialization, of a fixed standard deviation.

    It does not follow the layer's size: with too large a standard deviation activations explode, with too small a one
    they vanish.

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
