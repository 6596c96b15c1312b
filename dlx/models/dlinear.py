from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from dlx.models._series import SeriesModel


class DLinear(SeriesModel):
    """DLinear: linear maps of a series' trend and of its remainder to the forecast, channel by channel.

    The trend is a moving average over the history; each part has one linear map over time that all channels share, and
    the forecast is their sum. A baseline that transformers for long forecasts had not beaten when it was published.

    Shapes:  history (T, columns) → (horizon, targets); only the targets' own history is read.
    Raises:  ShapeError if the input is more than the history of a series.
    Source:  Zeng et al. 2023, arXiv:2205.13504; its `individual` is not offered.

    Example:
        {dlinear: {kernel: 25}}
    """

    primary: ClassVar[str] = "kernel"
    type: Literal["dlinear"] = "dlinear"
    kernel: int = Field(25, gt=0)
    """Steps of the moving average."""

    def forecast(self, steps: int, features: int, outputs: int) -> list[Any]:
        linear = {"temporal_linear": {"steps": steps, "features": features, "outputs": outputs}}
        parts = [[{"moving_average": {"kernel": self.kernel, "remainder": part}}, linear] for part in (False, True)]
        return [{"branches": {"join": "sum", "of": parts}}]
