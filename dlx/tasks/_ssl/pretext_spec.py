"""Pretext tasks: features are learned by predicting how an image was changed. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from pydantic import Field

from dlx.errors import ShapeError
from dlx.facts import DataFacts
from dlx.layers import Layer, infer_shape
from dlx.models import Model
from dlx.rules import CheckContext, Problem
from dlx.tasks import UnfitData, UnfitSetting
from dlx.tasks._base.heads import numeric_input
from dlx.tasks._ssl.spec import EncoderTask, pooling_layer
from dlx.tensors import Spec, TensorSpec

HEAD = "pretext"
IMAGE = "CHW"


class Pretext(EncoderTask):
    """A classification whose labels are made of the image itself, of the features of one or more pieces of it.

    The same encoder sees every piece; a head reads the features of all pieces of an image side by side.
    """

    pieces: ClassVar[int] = 1
    """How many pieces of an image an example has."""
    rows: ClassVar[tuple[str, str, str]] = ("image", "example", "prediction")
    """What the rows of a sheet of examples are."""
    hidden: int = Field(128, gt=0)
    """Size of the hidden layer between features and logits: without it, features would hold little but the label."""

    @property
    def num_labels(self) -> int:
        """How many labels there are."""
        raise NotImplementedError

    @property
    def learning_metric(self) -> str:
        return f"{self.type}_accuracy"

    def heads(self) -> dict[str, list[Any]]:
        classifier = [{"linear": self.hidden}, "relu", {"linear": self.num_labels}]
        return {HEAD: [{"pieces": {"branches": ["identity"] * self.pieces}}, {"classifier": classifier}]}

    def metric_names(self, facts: DataFacts) -> dict[str, str]:
        return {**super().metric_names(facts), f"{self.type}_accuracy": "higher"}

    def figures(self, outputs: Any, facts: DataFacts) -> dict[str, Any]:
        """Draw images, examples of them, and how the images would be if predictions were true."""
        from dlx.figures.samples import strips

        images = outputs.extras.get("examples")
        return {} if images is None else {"examples": strips(images, self.rows)}


class TilePretext(Pretext):
    """Examples are tiles of an image: random crops of the cells of a grid."""

    grid: ClassVar[int] = 3
    """Cells in a row, and in a column."""
    gap: int = Field(1, ge=0)
    """Pixels by which a tile is smaller than its cell, in which it lies at random: otherwise lines that continue from
    tile to tile would give the label away.
    """

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        x = numeric_input(context.facts, self.type)
        if x.axes != IMAGE:
            yield UnfitData.at(f"{self.type} cuts images into tiles, but the input is {x}")
        elif min(self._sides(x)) < 1:
            yield UnfitSetting.at(f"nothing is left of the cells of an image of {x} with a gap of {self.gap}", "gap")

    def network(self, role: str, model: Model, facts: DataFacts) -> Layer:
        """Return the network for whole images, which must take tiles with the same weights."""
        x = numeric_input(facts, self.type)
        tile = TensorSpec((x.dims[0], *self._sides(x)), IMAGE)
        (image, of_image), (piece, of_tile) = (_features(model.tree(x), size) for size in (x, tile))
        if (image, of_image) != (piece, of_tile):
            raise ShapeError(
                f"the encoder must see tiles as it sees images, but makes {image} features by {of_image:,} weights of "
                f"an image of {x}, and {piece} by {of_tile:,} of a tile of {tile}: let the model end in maps, which "
                "are pooled"
            )
        return super().network(role, model, facts)

    def _sides(self, x: TensorSpec) -> tuple[int, ...]:
        """Return the height and the width of a tile."""
        return tuple(int(side or 0) // self.grid - self.gap for side in x.spatial)


def _features(body: Layer, x: TensorSpec) -> tuple[Spec, int]:
    """Return the vector of features that a network makes of x, and by how many weights."""
    return infer_shape((), Layer.model_validate([body, pooling_layer(infer_shape((), body, x))]), x), body.cost(
        x
    ).parameters
