"""Residual connection. B batch."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from dlx.nn.context import Context, apply, context_behind, make_sequential, takes_context


def drop_path(x: Tensor, probability: float) -> Tensor:
    """Stochastic depth: set whole samples to zero at random and scale the others, so that the mean stays."""
    keep_B = x.new_empty(x.shape[0]).bernoulli_(1 - probability)
    return x * keep_B.div_(1 - probability).view(-1, *[1] * (x.ndim - 1))


class ResidualSum(nn.Module):
    """Residual connection: then(shortcut(x) + layers(x)); without a shortcut, x itself."""

    def __init__(
        self,
        layers: Mapping[str, nn.Module],
        shortcut: nn.Module | None = None,
        then: nn.Module | None = None,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.layers = make_sequential(layers)
        self.shortcut = shortcut
        self.then = then
        self.drop_path = drop_path
        self.takes_context = any(takes_context(part) for part in (self.layers, shortcut, then) if part is not None)

    def forward(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the sum, passed through `then`."""
        if self.takes_context:
            return self._in_context(x, context)
        branch = self.layers(x)
        if self.training and self.drop_path:
            branch = drop_path(branch, self.drop_path)
        total: Tensor = branch + (x if self.shortcut is None else self.shortcut(x))
        return total if self.then is None else self.then(total)  # type: ignore[no-any-return]

    def _in_context(self, x: Tensor, context: Context | None) -> Tensor:
        branch = apply(self.layers, x, context)
        if self.training and self.drop_path:
            branch = drop_path(branch, self.drop_path)
        total: Tensor = branch + (x if self.shortcut is None else apply(self.shortcut, x, context))
        if self.then is None:
            return total
        return apply(self.then, total, context and context_behind(self.layers, context))  # type: ignore[no-any-return]
