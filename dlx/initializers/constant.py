from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.initializers import Initializer

if TYPE_CHECKING:
    from torch import Tensor


class Constant(Initializer):
    """Constant initialization: every weight starts at the same number.

    Shows why weights must differ (symmetry breaking): with equal weights all units of a layer learn the same.

    Source:  torch.nn.init.constant_.

    Example:
        {constant: 0.1}
    """

    primary: ClassVar[str] = "value"
    type: Literal["constant"] = "constant"
    value: float
    """The weight."""

    def fill(self, weight: Tensor, gain: float) -> None:
        from torch.nn import init

        init.constant_(weight, self.value)
