from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from dlx.facts import DataFacts
from dlx.rules import CheckContext, Problem
from dlx.tasks import Learning, UnfitData
from dlx.tasks._base.heads import numeric_input
from dlx.tasks._ssl.pretext_spec import IMAGE, Pretext
from dlx.tasks.rotation._rotations import ROTATIONS

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn


class Rotation(Pretext):
    """Rotation prediction: features are learned by predicting by how many quarter turns an image was rotated.

    To tell that, a network must know what is in the picture and which way up it stands. Every image is shown in all
    four rotations: by 0, 90, 180 and 270 degrees.

    Shapes:  square images (C, H, H) → features.
    Units:   loss is a mean cross-entropy in nats, ln 4 by chance.
    Raises:  ShapeError if the input is not a square image.
    Source:  Gidaris, Singh & Komodakis 2018, arXiv:1803.07728, where nothing lies between features and logits.

    Example:
        {type: rotation, evaluate: {label_fraction: 0.5, knn_neighbors: 5}}
    """

    type: Literal["rotation"] = "rotation"

    @property
    def num_labels(self) -> int:
        return ROTATIONS

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        x = numeric_input(context.facts, self.type)
        if x.axes != IMAGE or x.dims[1] != x.dims[2]:
            yield UnfitData.at(f"rotation rotates square images, but the input is {x}")

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.tasks.rotation.module import RotationModule

        return RotationModule(networks, facts, learning, self)
