from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts
from dlx.tasks import Learning
from dlx.tasks._ssl.pretext_spec import TilePretext

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn


class Jigsaw(TilePretext):
    """Jigsaw puzzles: features are learned by predicting how the nine tiles of an image were shuffled.

    Tiles are shuffled by one of a few permutations, which has to be predicted. The encoder sees every tile by itself;
    only the head sees all of them. The permutations are far from one another, so that no two can be distinguished by a
    pair of tiles: each next one has the greatest Hamming distance to those that were chosen. The first one leaves tiles
    where they are.

    Shapes:  images (C, H, W) → features; the encoder must also take tiles of (H / 3 − gap, W / 3 − gap).
    Units:   loss is a mean cross-entropy in nats, ln of the number of permutations by chance.
    Raises:  ShapeError if the input is no image, or tiles are too small for the encoder.
    Source:  Noroozi & Favaro 2016, arXiv:1603.09246. Deviations: a permutation is chosen by its distance to the nearest
             one, then to all, among 20,000 that are drawn; tiles are not normalized one by one.

    Example:
        {type: jigsaw, permutations: 10, gap: 0, hidden: 16}
    """

    type: Literal["jigsaw"] = "jigsaw"
    pieces: ClassVar[int] = TilePretext.grid**2
    permutations: int = Field(100, ge=2, le=1000)
    """How many permutations there are."""

    @property
    def num_labels(self) -> int:
        return self.permutations

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.tasks.jigsaw.module import JigsawModule

        return JigsawModule(networks, facts, learning, self)
