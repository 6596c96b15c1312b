"""Siamese networks: one view's projection is predicted from the other's, without negatives. Torch-free."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from dlx.facts import DataFacts
from dlx.tasks._ssl.views_spec import PROJECTOR, MultiView

PREDICTION, PREDICTOR = "prediction", "predictor"
PROJECTION_STD, COSINE_SIMILARITY = "projection_std", "cosine_similarity"
COLLAPSED = 0.1
"""Below this projection_std all samples are projected to nearly the same direction."""


class Siamese(MultiView):
    """A siamese network: views of a sample are brought together, and nothing pushes samples apart.

    Were all features the same, the loss would be at its minimum (collapse). That this has not happened is measured as
    `projection_std`: the standard deviation of projections of length 1, times √projection_dim; it is 1 where they point
    in all directions, and 0 where all are the same. `cosine_similarity` is that of predictions and what they predict.
    """

    has_fixed_target: ClassVar[bool] = False
    predictor_hidden: int = Field(32, gt=0)
    """Size of the hidden layer of the predictor."""

    @property
    def learning_metric(self) -> str:
        return COSINE_SIMILARITY

    def metric_names(self, facts: DataFacts) -> dict[str, str]:
        return {**super().metric_names(facts), PROJECTION_STD: "higher", COSINE_SIMILARITY: "higher"}

    def heads(self) -> dict[str, list[Any]]:
        predictor = [{"linear": self.predictor_hidden}, "batch_norm", "relu", {"linear": self.projection_dim}]
        parts = {PROJECTOR: self.projector(), PREDICTOR: predictor}
        return {PREDICTION: [{"type": "sequential", "name": name, "layers": layers} for name, layers in parts.items()]}
