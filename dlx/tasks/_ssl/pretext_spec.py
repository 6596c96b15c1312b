"""What tasks share that learn features by saying how an image was changed."""

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
from dlx.tasks._base.heads import numbers
from dlx.tasks._ssl.spec import Probing, vector
from dlx.tensors import Spec, TensorSpec

ANSWER = "answer"
IMAGE = "CHW"


class Pretext(Probing):
    """A question about an image with one of several answers, which is asked of the features of one or more pieces.

    The same encoder sees every piece; a head reads the features of all pieces of an image side by side.
    """

    pieces: ClassVar[int] = 1
    """How many pieces of an image a question is about."""
    rows: ClassVar[tuple[str, str, str]] = ("image", "as it is shown", "as it is said to be")
    """What the rows of a sheet of questions are."""
    hidden: int = Field(128, gt=0)
    """Size of the layer between features and answer: without it, features would come to know little but the answer."""

    @property
    def answers(self) -> int:
        """How many answers there are."""
        raise NotImplementedError

    def heads(self) -> dict[str, list[Any]]:
        return {ANSWER: [{"pieces": {"branches": ["identity"] * self.pieces}}, {"said": self.reading()}]}

    def reading(self) -> list[Any]:
        """Return the layers that make an answer of the features of all pieces."""
        return [{"linear": self.hidden}, "relu", {"linear": self.answers}]

    def metric_names(self, facts: DataFacts) -> dict[str, str]:
        return {**super().metric_names(facts), f"{self.type}_accuracy": "higher"}

    def figures(self, outputs: Any, facts: DataFacts) -> dict[str, Any]:
        """Draw images, how they are shown, and how they would be by what the network says of them."""
        from dlx.figures.samples import strips

        sheet = outputs.made.get("sheet")
        return {} if sheet is None else {"questions": strips(sheet, self.rows)}


class OfTiles(Pretext):
    """A question about tiles of an image: random crops of the cells of a grid."""

    grid: ClassVar[int] = 3
    """Cells in a row, and in a column."""
    gap: int = Field(1, ge=0)
    """Pixels by which a tile is smaller than its cell, in which it lies at random: else lines that go on from tile to
    tile tell where they belong.
    """

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        x = numbers(context.facts, self.type)
        if x.axes != IMAGE:
            yield UnfitData.at(f"{self.type} cuts images into tiles, but the input is {x}")
        elif min(self._sides(x)) < 1:
            yield UnfitSetting.at(f"nothing is left of the cells of an image of {x} with a gap of {self.gap}", "gap")

    def network(self, role: str, model: Model, facts: DataFacts) -> Layer:
        """Return the network for whole images, which must take tiles with the same weights."""
        x = numbers(facts, self.type)
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
    return infer_shape((), Layer.model_validate([body, *vector(infer_shape((), body, x))]), x), body.cost(x).parameters
