from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from dlx.component import Component
from dlx.regularizers import Regularizer


class LabelSmoothing(Regularizer):
    """Label smoothing: trains toward 1 − ε + ε/K for the true class and ε/K for each of the others.

    Sets the `label_smoothing` of the task's loss, whatever it was. Improves calibration, and accuracy where labels may
    be wrong; the loss of a perfect network is then above zero.

    Units:   label_smoothing (ε) is a probability.
    Raises:  ValueError if the loss has no label smoothing.
    Source:  Szegedy et al. 2016, arXiv:1512.00567; Müller et al. 2019, arXiv:1906.02629.

    Example:
        {label_smoothing: 0.1}
    """

    primary: ClassVar[str] = "label_smoothing"
    type: Literal["label_smoothing"] = "label_smoothing"
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    """Probability that is taken from the true class and spread evenly over all."""

    def rewrite_loss(self, loss: Component) -> Component:
        if "label_smoothing" not in type(loss).model_fields:
            raise ValueError(f"the loss {loss.type} knows no label smoothing")
        return loss.evolve("label_smoothing", self.label_smoothing)
