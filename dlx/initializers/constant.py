from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.errors import UsageError
from dlx.initializers import Initializer

if TYPE_CHECKING:
    from torch import Tensor


class Constant(Initializer):
    """Constant initialization: every weight starts at the same number, or at one that is given for it.

    With equal weights all units of a layer learn the same, which shows why weights must differ (symmetry breaking).
    Numbers that are given by rows are weights set by hand, as those of a McCulloch–Pitts neuron: a row for each output.

    Shapes:  a number, or rows that broadcast to the layer's weight, (outputs, inputs) of a linear layer.
    Raises:  UsageError where rows do not fit the layer.
    Source:  torch.nn.init.constant_.

    Example:
        {constant: 0.1}
    """

    primary: ClassVar[str] = "value"
    type: Literal["constant"] = "constant"
    value: float | list[list[float]]
    """The weight, or a row of weights for each output."""
    bias: float | list[float] = 0.0
    """The bias, or one for each output."""

    def fill(self, weight: Tensor, gain: float) -> None:
        _fill(weight, self.value, "value")

    def fill_bias(self, bias: Tensor) -> None:
        _fill(bias, self.bias, "bias")


def _fill(parameter: Tensor, value: float | list[float] | list[list[float]], what: str) -> None:
    import torch

    try:
        parameter.copy_(torch.tensor(value, dtype=parameter.dtype))
    except (RuntimeError, ValueError):
        wanted = " × ".join(map(str, parameter.shape))
        raise UsageError(f"init.constant.{what} does not fit a parameter of {wanted}") from None
