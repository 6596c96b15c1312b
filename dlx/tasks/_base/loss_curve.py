"""The loss curve of training: one point for several steps, without waiting for a device in between."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from dlx.errors import DivergedError
from dlx.tasks._base.optimizer_step import is_non_finite

MAX_SKIPPED = 3  # batches in a row whose loss is not finite, before training has diverged


class LossCurve:
    """Adds up the losses of steps since the last point.

    last     the value of the last point
    newest   the loss of the last step, or of the last part of it
    skipped  how many batches were left out because their loss was not finite
    """

    def __init__(self) -> None:
        self.last: Tensor | None = None
        self.newest: Tensor | None = None
        self.skipped = 0
        self._skipped_in_a_row = 0
        self._sum: Tensor | None = None
        self._count = 0

    def add(self, loss: Tensor, step: int) -> None:
        """Add a step's loss; leave it out where it is not finite. Raises: DivergedError if several in a row are not."""
        self.newest = loss
        if is_non_finite(loss):
            self.skipped += 1
            self._skipped_in_a_row += 1
            if self._skipped_in_a_row >= MAX_SKIPPED:
                raise DivergedError(float(loss), step)
            return
        self._skipped_in_a_row = 0
        self._sum = loss if self._sum is None else self._sum + loss
        self._count += 1

    def take_mean(self) -> Tensor | None:
        """Return the mean loss since the last point, and begin the next one; None if there were no steps."""
        if self._sum is None:
            return None
        mean = self._sum / self._count
        self._sum, self._count = None, 0
        return mean

    def set_point(self, mean: Tensor, step: int) -> None:
        """Remember a point. Raises: DivergedError if it is not finite."""
        value = float(mean)
        if not math.isfinite(value):
            raise DivergedError(value, step)
        self.last = mean

    def state_dict(self) -> dict[str, Any]:
        """Return what the curve needs to go on after a checkpoint."""
        return {"last": self.last, "skipped": self.skipped, "sum": self._sum, "count": self._count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where a checkpoint was saved."""
        self.last, self.skipped = state["last"], state["skipped"]
        self._sum, self._count = state["sum"], state["count"]
