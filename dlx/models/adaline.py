from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dlx.initializers import Initializer
from dlx.models import Model
from dlx.models._features import to_features
from dlx.tensors import Spec


class Adaline(Model):
    """Adaline (adaptive linear element): linear units that learn from their sum, not from their decision.

    The unit of the perceptron, but its error is how far the sum is from the target, not whether the decision is wrong:
    use the loss `mse`. So it settles also where classes overlap, at the least-squares solution.

    Shapes:  any → (F,); a table goes through `columns`, one feature a category, everything else is flattened; the task
             adds the linear units.
    Source:  Widrow & Hoff 1960, IRE WESCON Convention Record 4.

    Example:
        adaline
    """

    type: Literal["adaline"] = "adaline"
    init: Initializer | None = Field(default="zeros", validate_default=True)
    """Initializer of every layer that has no `init` of its own."""

    def architecture(self, x: Spec) -> list[Any]:
        return to_features(x, embedding="one_hot")
