from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts
from dlx.tasks import Learning, Networks
from dlx.tasks._ssl.views_spec import PROJECTOR, Contrastive

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn


class MoCo(Contrastive):
    """MoCo: contrastive learning with a momentum encoder and a queue of negatives.

    A view of a sample has to find the key of its other view among the last keys of others (InfoNCE loss); they come
    from a queue, so that there are many with small batches too. Keys are made by a momentum encoder,
    k ← m k + (1 − m) q after every step, so that they stay comparable. Prefer it to simclr where memory allows only
    small batches. What `views` change is what features will ignore.

    Shapes:  any → features; images are pooled to a vector.
    Units:   loss is a mean cross-entropy in nats, ln(1 + queue_size) by chance; on val and test of up to 1,024 samples.
             contrastive_accuracy is how often a view's twin is the nearest of up to 511 other views.
    Source:  He et al. 2020, arXiv:1911.05722, with the projection head of Chen et al. 2020, arXiv:2003.04297; batch
             normalization is not shuffled: each view has the statistics of its own batch.

    Example:
        {type: moco, queue_size: 512, momentum: 0.99, projection_dim: 16}
    """

    has_fixed_target: ClassVar[bool] = False
    type: Literal["moco"] = "moco"
    queue_size: int = Field(4096, gt=0)
    """Keys of earlier samples in the queue."""
    momentum: float = Field(0.999, ge=0, lt=1)
    """Fraction of the momentum encoder that is kept in a step: it averages about 1 / (1 − momentum) steps."""
    temperature: float = Field(0.2, gt=0)
    """Cosine similarities are divided by it: the smaller, the more the nearest negatives count."""

    def buffer_elements(self, networks: Networks, facts: DataFacts) -> int:
        return super().buffer_elements(networks, facts) + self.queue_size * self.projection_dim

    def momentum_layers(self) -> tuple[str, ...]:
        return ("body", f"heads.{PROJECTOR}")

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.tasks.moco.module import MoCoModule

        return MoCoModule(networks, facts, learning, self)
