from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from dlx.facts import DataFacts
from dlx.rules import CheckContext, Problem
from dlx.tasks import Learning, UnfitData
from dlx.tasks._base.heads import numbers
from dlx.tasks._ssl.pretext_spec import IMAGE, Pretext
from dlx.tasks.rotation._turns import TURNS

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn


class Rotation(Pretext):
    """Learns features by saying how far an image was turned: not at all, by 90, 180 or 270 degrees.

    Who can tell that must know what is in the picture and which way up it stands. Every image is shown in all four
    ways.

    Shapes:  square images (C, H, H) → features.
    Units:   loss is a mean cross-entropy in nats, ln 4 by chance.
    Raises:  ShapeError if the input is not a square image.
    Source:  Gidaris, Singh & Komodakis 2018, arXiv:1803.07728, where nothing lies between features and answer.

    Example:
        {type: rotation, evaluate: {label_fraction: 0.5, knn_neighbors: 5}}
    """

    type: Literal["rotation"] = "rotation"

    @property
    def answers(self) -> int:
        return TURNS

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        x = numbers(context.facts, self.type)
        if x.axes != IMAGE or x.dims[1] != x.dims[2]:
            yield UnfitData.at(f"rotation turns square images, but the input is {x}")

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.tasks.rotation.module import RotationModule

        return RotationModule(networks, facts, learning, self)
