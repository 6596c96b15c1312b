"""Linear map over time.   B batch, T steps in, S steps out, F features, Q outputs for each."""

from __future__ import annotations

from torch import Tensor, nn


class TemporalLinearMap(nn.Module):
    """The same linear map of the steps of every feature."""

    def __init__(self, inputs: int, steps: int, features: int, outputs: int, subtract_last: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, steps * outputs)
        self.steps, self.features, self.outputs, self.subtract_last = steps, features, outputs, subtract_last

    def forward(self, x_BTF: Tensor) -> Tensor:
        """Return (B, S, F · Q)."""
        x_BFT = x_BTF[..., : self.features].transpose(1, 2)
        last_BF1 = x_BFT[..., -1:]
        y_BFZ = self.linear(x_BFT - last_BF1) + last_BF1 if self.subtract_last else self.linear(x_BFT)
        y_BFSQ = y_BFZ.unflatten(2, (self.steps, self.outputs))
        return y_BFSQ.transpose(1, 2).flatten(2)  # type: ignore[no-any-return]
