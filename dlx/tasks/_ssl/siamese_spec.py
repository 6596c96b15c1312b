"""What tasks share that predict one view's projection from the other's, with no others to tell it from."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from dlx.facts import DataFacts
from dlx.tasks._ssl.views_spec import PROJECTOR, MultiView

PREDICTION, PREDICTOR = "prediction", "predictor"
SPREAD = "projection_std"
COLLAPSED = 0.1
"""Below this spread all samples are projected to nearly the same direction."""


class Siamese(MultiView):
    """A siamese network: views of a sample are brought together, and nothing pushes samples apart.

    Were all features the same, the loss would be at its minimum (collapse). That this has not happened is measured as
    `projection_std`: the standard deviation of projections of length 1, times √projection_dim; it is 1 where they point
    in all directions, and 0 where all are the same.
    """

    comparable: ClassVar[bool] = False
    projector_at: ClassVar[str] = f"{PREDICTION}.{PROJECTOR}"
    predictor_hidden: int = Field(32, gt=0)
    """Size of the hidden layer of the predictor."""

    def metric_names(self, facts: DataFacts) -> dict[str, str]:
        return {**super().metric_names(facts), SPREAD: "higher"}

    def heads(self) -> dict[str, list[Any]]:
        predictor = [{"linear": self.predictor_hidden}, "batch_norm", "relu", {"linear": self.projection_dim}]
        parts = {PROJECTOR: self.projector(), PREDICTOR: predictor}
        return {PREDICTION: [{"type": "sequential", "name": name, "layers": layers} for name, layers in parts.items()]}
