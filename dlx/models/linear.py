from __future__ import annotations

from typing import Any, Literal

from dlx.models import Model
from dlx.models._features import to_features
from dlx.tensors import Spec


class LinearModel(Model):
    """Linear model: passes the features on, so that with the task's head it is a linear map of the input.

    Linear regression under mse, logistic regression under cross_entropy. The baseline that anything deeper has to beat.

    Shapes:  any → (F,); a table goes through `columns`, one feature a category, everything else is flattened.

    Example:
        linear
    """

    type: Literal["linear"] = "linear"

    def architecture(self, x: Spec) -> list[Any]:
        return to_features(x, embedding="one_hot")
