"""Models of a series, channel by channel."""

from __future__ import annotations

from typing import Any

from dlx.errors import ShapeError
from dlx.models import Model
from dlx.tensors import Spec, TensorSpec, describe


class SeriesModel(Model):
    """A model that maps the history of each channel to its forecast; as features it passes the history on."""

    def architecture(self, x: Spec) -> list[Any]:
        if not isinstance(x, TensorSpec) or x.axes != "TF":
            raise ShapeError(f"{self.type} reads the history of a series, but the input is {describe(x)}")
        return ["identity"]

    def forecast_head(self, target: TensorSpec, outputs: int) -> list[Any]:
        steps, features = (size or 1 for size in target.dims)
        return [*self.forecast(steps, features, outputs), "flatten"]

    def forecast(self, steps: int, features: int, outputs: int) -> list[Any]:
        """Return the layers from a history to a forecast (steps, features · outputs)."""
        raise NotImplementedError
