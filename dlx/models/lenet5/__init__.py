from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dlx.layers import Layer, require_axes
from dlx.models import Model
from dlx.models.lenet5.digits import PROTOTYPES
from dlx.models.lenet5.table import CONNECTIONS
from dlx.tensors import Spec, TensorSpec

FIELD = 32  # side of the field in which the paper centers its 28 × 28 digits
POOLS: dict[str, str] = {"max": "max_pool", "avg": "avg_pool", "subsample": "subsample"}


class LeNet5(Model):
    """LeNet-5: two convolutions with pooling, then three fully connected layers; it read handwritten digits in 1998.

    C1 6 maps, 5 × 5 → S2 halved → C3 16 maps, 5 × 5 → S4 halved → C5 120 → F6 84 → output. By default in today's
    form, with relu, max pooling and the task's linear head: 61,706 parameters for ten classes of 28 × 28 images.
    The network of 1998 has `pooling: subsample`, `connections: 1998`, `output: rbf` and `activation: [{scale:
    0.6667}, tanh, {scale: 1.7159}]`: 60,000 trained parameters.

    Shapes:  (C, H, W) → (84,), or (10,) with `output: rbf`; images under 32 × 32 get a border of zeros up to that size.
    Raises:  ShapeError if the input is not an image.
    Source:  LeCun et al. 1998, Proceedings of the IEEE 86(11); deviations: the digits of the rbf output are drawn
             anew in the paper's 7 × 12 raster, and its sign is turned, so that the nearest class has the largest
             output.

    Example:
        {type: lenet5, activation: tanh, pooling: avg}
    """

    type: Literal["lenet5"] = "lenet5"
    activation: Layer = Field(default="relu", validate_default=True)
    """Activation behind every layer that has weights, but the output."""
    pooling: Literal["max", "avg", "subsample"] = "max"
    """Pooling; subsample has a coefficient and a bias for each map, and an activation, as in 1998."""
    connections: Literal["full", 1998] = "full"
    """Whether maps of C3 see all maps of S2, or those of the paper's table, which breaks their symmetry."""
    output: Literal["features", "rbf"] = "features"
    """F6 for the task's head, or distances to fixed bitmaps of the digits 0 to 9, which needs ten classes."""

    @property
    def has_head(self) -> bool:
        """Whether the network ends in the distances to the digits."""
        return self.output == "rbf"

    def architecture(self, x: Spec) -> list[Any]:
        border = _border(require_axes(x, "CHW", "lenet5"))
        third: Any = {"conv": {"channels": 16, "kernel": 5}}
        if self.connections == 1998:
            third = {"connected_conv": {"table": CONNECTIONS, "kernel": 5}}
        layers: list[Any] = [
            {"c1": {"conv": {"channels": 6, "kernel": 5, "padding": border}}},
            self.activation,
            *self._halve("s2"),
            {"c3": third},
            self.activation,
            *self._halve("s4"),
            "flatten",
            {"c5": {"linear": 120}},
            self.activation,
            {"f6": {"linear": 84}},
            self.activation,
        ]
        if self.output == "rbf":
            layers.append({"output": {"rbf": {"features": len(PROTOTYPES), "prototypes": PROTOTYPES}}})
        return layers

    def _halve(self, name: str) -> list[Any]:
        pool = {name: {POOLS[self.pooling]: 2}}
        return [pool, self.activation] if self.pooling == "subsample" else [pool]


def _border(x: TensorSpec) -> list[int]:
    """Return how many zeros an image needs on each side of each dimension to fill the field."""
    return [max(0, -(-(FIELD - size) // 2)) if size is not None else 0 for size in x.spatial]
