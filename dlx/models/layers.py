from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from dlx.layers import Layer
from dlx.models import Model
from dlx.tensors import Spec


class Layers(Model):
    """Layers: a network that is defined in the recipe, layer by layer.

    Every layer works out its input from what comes before it, so only outputs are written. `blocks` names pieces of
    one's own, with parameters, that `layers` may use like any layer; they are put in place while the recipe is read.

    Shapes:  the input of the first layer → the output of the last.
    Raises:  ShapeError at the first layer that does not fit what comes before it.

    Example:
        {type: layers, layers: [flatten, {linear: 32}, relu]}
    """

    primary: ClassVar[str] = "layers"
    unbuilt_fields: ClassVar[Mapping[str, str]] = {
        **Model.unbuilt_fields,
        "blocks": "names pieces, which stand in `layers` once a recipe is read",
    }
    type: Literal["layers"] = "layers"
    layers: list[Layer]
    """The layers, in order."""
    blocks: dict[str, Any] = Field(default_factory=dict)
    """The recipe's own vocabulary, kept as it was written: name → {parameters, layers}."""

    @property
    def has_head(self) -> bool:
        """Whether the last layer is one, such as a tied embedding."""
        return bool(self.layers) and self.layers[-1].is_head

    def architecture(self, x: Spec) -> list[Any]:
        return list(self.layers)
