from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from dlx.augmentations import Augmentation
from dlx.errors import ShapeError
from dlx.facts import DataFacts
from dlx.tasks import Learning
from dlx.tasks._ending import numbers
from dlx.tasks._probing import Probing

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn


class SimCLR(Probing):
    """Learns features in which two changed views of one sample are near and those of others far.

    Every sample of a batch is changed twice by `views`; a projection head maps the features of both to vectors of
    length 1, and each has to find its twin among all others of the batch by their angle. Larger batches give more
    others to tell apart; what `views` change is what features will ignore. `data.augment` would change both views
    alike.

    Shapes:  any → features; images are pooled to a vector.
    Units:   loss is a mean cross-entropy in nats, ln(2 · batch − 1) by chance; on val and test it is taken among up to
             256 samples at a time, of the first 1,024.
    Source:  Chen et al. 2020, arXiv:2002.05709; with `train.accumulate` or several processes a view is told from those
             of its own portion alone.

    Example:
        {type: simclr, views: [{gaussian_noise: {p: 1.0}}], projection: 16}
    """

    type: Literal["simclr"] = "simclr"
    views: list[Augmentation] = Field([{"gaussian_noise": {"p": 1.0}}], min_length=1, validate_default=True)  # type: ignore[list-item]
    """What changes a sample, each time anew; for images, crops and warps that keep what they show do better."""
    temperature: float = Field(0.5, gt=0)
    """Cosines are divided by it: the smaller, the more the nearest others count."""
    projection: int = Field(64, gt=0)
    """Size of the vectors that are compared."""
    projection_hidden: int = Field(128, gt=0)
    """Size of the hidden layer of the projection head."""

    def heads(self) -> dict[str, list[Any]]:
        return {"projector": [{"linear": self.projection_hidden}, "relu", {"linear": self.projection}]}

    def problems(self, facts: DataFacts) -> list[ShapeError]:
        found = super().problems(facts)
        for i, view in enumerate(self.views):
            if view.mixes:
                found.append(ShapeError(f"{view.type} mixes samples, of which none is then the twin", ("views", i)))
            try:
                view.check(numbers(facts, self.type))
            except ShapeError as error:
                found.append(error.within("views", i))
        return found

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.tasks.simclr.module import SimCLRModule

        return SimCLRModule(networks, facts, learning, self)

    def said(self, values: Any, facts: DataFacts) -> dict[str, list[Any]] | None:
        return None if self.probe else {f"feature_{i + 1}": values[:, i].tolist() for i in range(values.shape[1])}
