"""Feature-wise linear modulation. B batch, G features of the condition."""

from __future__ import annotations

from torch import Tensor, nn

from dlx.nn.context import Context


class FeatureModulation(nn.Module):
    """x (1 + scale) + shift, both a linear map of the named value of the context."""

    takes_context = True

    def __init__(self, key: str, given: int, features: int, scale: bool, axis: int, ndim: int) -> None:
        super().__init__()
        self.key, self.scale = key, scale
        self.shape = [features if i == axis else 1 for i in range(1, ndim)]
        self.linear = nn.Linear(given, features * (1 + scale))

    def forward(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return x, modulated."""
        assert context is not None
        modulation_BG: Tensor = self.linear(context[self.key])
        if not self.scale:
            return x + modulation_BG.view(-1, *self.shape)
        scale, shift = (part.reshape(-1, *self.shape) for part in modulation_BG.chunk(2, dim=1))
        return x * (1 + scale) + shift
