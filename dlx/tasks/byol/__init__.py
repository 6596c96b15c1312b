from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from dlx.facts import DataFacts
from dlx.tasks import Learning
from dlx.tasks._ssl.siamese_spec import PREDICTION, Siamese
from dlx.tasks._ssl.views_spec import PROJECTOR

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn


class BYOL(Siamese):
    """BYOL: self-supervised features; a predictor matches the momentum encoder's projection of the other view.

    There are no negatives; the predictor, and the momentum encoder, c ← m c + (1 − m) w after every step, keep the
    features from collapsing. m grows from `momentum` to 1 as a cosine. Works with smaller batches than simclr. What
    `views` change is what features will ignore.

    Shapes:  any → features; images are pooled to a vector.
    Units:   loss is the squared distance between predictions and projections of length 1, added for both directions:
             0 to 8, and 4 where they have nothing in common; on val and test of up to 1,024 samples.
    Source:  Grill et al. 2020, arXiv:2006.07733; batch statistics are those of both views together.

    Example:
        {type: byol, momentum: 0.98, projection_dim: 16}
    """

    type: Literal["byol"] = "byol"
    momentum: float = Field(0.996, ge=0, lt=1)
    """Fraction of the momentum encoder that is kept in the first step."""

    def projector(self) -> list[Any]:
        return [{"linear": self.projection_hidden}, "batch_norm", "relu", {"linear": self.projection_dim}]

    def momentum_layers(self) -> tuple[str, ...]:
        return ("body", f"heads.{PREDICTION}.{PROJECTOR}")

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.tasks.byol.module import BYOLModule

        return BYOLModule(networks, facts, learning, self)
