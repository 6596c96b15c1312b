"""Several optimizers whose networks share a gradient, as a callback sees them before their step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class JointOptimizer:
    """Has the parameter groups of several optimizers: what is clipped is the gradient of all networks together."""

    def __init__(self, optimizers: Sequence[Any]) -> None:
        self.optimizers = list(optimizers)

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The parameter groups of all, in order."""
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]
