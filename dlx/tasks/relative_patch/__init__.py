from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.facts import DataFacts
from dlx.tasks import Learning
from dlx.tasks._ssl.pretext_spec import TilePretext

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn


class RelativePatch(TilePretext):
    """Relative patch location: features are learned by predicting where a patch lies beside another.

    The patches are tiles of an image: the one in the middle, and one of the eight around it. Both are seen by the same
    encoder, each by itself; the head sees the features of both.

    Shapes:  images (C, H, W) → features; the encoder must also take patches of (H / 3 − gap, W / 3 − gap).
    Units:   loss is a mean cross-entropy in nats, ln 8 by chance.
    Raises:  ShapeError if the input is no image, or patches are too small for the encoder.
    Source:  Doersch, Gupta & Efros 2015, arXiv:1505.05192. Deviations: the pair always covers the middle of the image,
             and colors stay as they are.

    Example:
        {type: relative_patch, gap: 0, hidden: 16}
    """

    type: Literal["relative_patch"] = "relative_patch"
    pieces: ClassVar[int] = 2
    rows: ClassVar[tuple[str, str, str]] = ("image", "patches", "prediction")

    @property
    def num_labels(self) -> int:
        return self.grid**2 - 1

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.tasks.relative_patch.module import RelativePatchModule

        return RelativePatchModule(networks, facts, learning, self)
