"""The projection of the other view, taken as given, is predicted. P projection, V = 2B views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor, nn

from dlx.facts import DataFacts
from dlx.tasks import Learning
from dlx.tasks._ssl.siamese_module import SiameseModule

if TYPE_CHECKING:
    from dlx.tasks.simsiam import SimSiam


class SimSiamModule(SiameseModule):
    """An encoder with projector and predictor, and nothing else."""

    def __init__(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: SimSiam) -> None:
        super().__init__(networks, facts, learning, task)
        self.stop_gradient = task.stop_gradient

    def target(self, views: Tensor, projected_VP: Tensor) -> Tensor:
        return projected_VP.detach() if self.stop_gradient else projected_VP

    def cost(self, cosine_V: Tensor) -> Tensor:
        return -cosine_V.mean()
