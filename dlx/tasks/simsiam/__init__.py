from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from dlx.facts import DataFacts
from dlx.tasks import Learning
from dlx.tasks._ssl.siamese_spec import Siamese

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn


class SimSiam(Siamese):
    """SimSiam: self-supervised features; a predictor matches the stop-gradient projection of the other view.

    No negatives, no queue, no momentum encoder: the stopped gradient is what keeps the features from collapsing;
    `stop_gradient: false` shows it. What `views` change is what features will ignore.

    Shapes:  any → features; images are pooled to a vector.
    Units:   loss is minus the mean cosine between predictions and projections, −1 to 1; on val and test of up to 1,024
             samples.
    Source:  Chen & He 2020, arXiv:2011.10566; batch statistics are those of both views together.

    Example:
        {type: simsiam, projection_dim: 16, predictor_hidden: 8}
    """

    type: Literal["simsiam"] = "simsiam"
    stop_gradient: bool = True
    """Whether no gradient flows into the projection that is predicted."""

    def projector(self) -> list[Any]:
        hidden: list[Any] = [{"linear": self.projection_hidden}, "batch_norm", "relu"]
        return [*hidden, *hidden, {"linear": self.projection_dim}, {"batch_norm": {"affine": False}}]

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.tasks.simsiam.module import SimSiamModule

        return SimSiamModule(networks, facts, learning, self)
