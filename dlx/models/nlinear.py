from __future__ import annotations

from typing import Any, Literal

from dlx.models._series import SeriesModel


class NLinear(SeriesModel):
    """NLinear: a linear map of a series' history relative to its last value, channel by channel.

    The last value is subtracted from the history and added to the forecast, so that a shift of the series shifts the
    forecast: better than `dlinear` where the level of train and test differ. All channels share the map.

    Shapes:  history (T, columns) → (horizon, targets); only the targets' own history is read.
    Raises:  ShapeError if the input is more than the history of a series.
    Source:  Zeng et al. 2023, arXiv:2205.13504; its `individual` is not offered.

    Example:
        nlinear
    """

    type: Literal["nlinear"] = "nlinear"

    def forecast(self, steps: int, features: int, outputs: int) -> list[Any]:
        fields = {"steps": steps, "features": features, "outputs": outputs, "subtract_last": True}
        return [{"temporal_linear": fields}]
