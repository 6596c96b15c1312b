"""A residual bottleneck behind a linear map."""

from __future__ import annotations

from torch import Tensor, nn


class ResidualBottleneck(nn.Module):
    """Adds up(activation(down(y))) to the output of a linear map."""

    def __init__(self, linear: nn.Linear, hidden: int, activation: nn.Module) -> None:
        super().__init__()
        self.down = nn.Linear(linear.out_features, hidden)
        self.activation = activation
        self.up = nn.Linear(hidden, linear.out_features)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, linear: nn.Linear, x: Tensor, y: Tensor) -> Tensor:
        """Return the adapted output."""
        return y + self.up(self.activation(self.down(y)))  # type: ignore[no-any-return]
