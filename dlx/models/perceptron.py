from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dlx.initializers import Initializer
from dlx.models import Model
from dlx.models._features import to_features
from dlx.tensors import Spec


class Perceptron(Model):
    """Perceptron (Rosenblatt): one linear unit for each class, all weights zero at first.

    Learns what a hyperplane can separate, and never XOR. Its learning rule is the loss `perceptron` under
    plain `sgd` with lr 1, sample by sample.

    Shapes:  any → (F,); a table goes through `columns`, one feature a category, everything else is flattened; the task
             adds the linear units.
    Source:  Rosenblatt 1958, Psychological Review 65.

    Example:
        perceptron
    """

    type: Literal["perceptron"] = "perceptron"
    init: Initializer | None = Field(default="zeros", validate_default=True)
    """Initializer of every layer that has no `init` of its own."""

    def architecture(self, x: Spec) -> list[Any]:
        return to_features(x, embedding="one_hot")
