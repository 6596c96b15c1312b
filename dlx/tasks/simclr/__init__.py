from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.facts import DataFacts
from dlx.tasks import Learning
from dlx.tasks._ssl.views_spec import Contrastive

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn


class SimCLR(Contrastive):
    """SimCLR: contrastive learning; two views of a sample are positives, the views of other samples negatives.

    Every sample of a batch is augmented twice by `views`; a projector maps the features of both to vectors of length 1,
    and each has to find its twin among all others of the batch (NT-Xent loss). Larger batches give more negatives; what
    `views` change is what features will ignore. `data.augment` would change both views alike.

    Shapes:  any → features; images are pooled to a vector.
    Units:   loss is a mean cross-entropy in nats, ln(2 · batch − 1) by chance; on val and test it is taken among up to
             256 samples at a time, of the first 1,024; contrastive_accuracy is how often the twin is nearest.
    Source:  Chen et al. 2020, arXiv:2002.05709; with `train.gradient_accumulation` or several processes the negatives
             of a view are those of its own micro-batch alone.

    Example:
        {type: simclr, views: [{random_gaussian_noise: {p: 1.0}}], projection_dim: 16}
    """

    type: Literal["simclr"] = "simclr"
    temperature: float = Field(0.5, gt=0)
    """Cosine similarities are divided by it: the smaller, the more the nearest negatives count."""

    @property
    def compares_samples(self) -> bool:
        return True

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.tasks.simclr.module import SimCLRModule

        return SimCLRModule(networks, facts, learning, self)
