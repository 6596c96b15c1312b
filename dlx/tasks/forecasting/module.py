"""Forecasting: a network that sees a series in scaled units, measured beside naive forecasts.

B batch, L steps of history, T steps of horizon, C columns of the history, of which the first F are the targets,
K = T · F, Q quantiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torchmetrics
from torch import Tensor, nn

from dlx.facts import DataFacts
from dlx.nn.protocols import Batch
from dlx.nn.wide import WIDE
from dlx.tasks import Learning
from dlx.tasks._base.meters import build_meters, meters_by_name
from dlx.tasks._supervised.module import SupervisedModule
from dlx.tasks.forecasting._baselines import baselines, repeated_step_indices

if TYPE_CHECKING:
    from dlx.tasks.forecasting import Forecasting

MIN_STD = 1e-3  # of a window, as a share of the train split's: one that moves less is not blown up


@dataclass(frozen=True)
class WindowScale:
    """Mean and standard deviation of every column of each window (B, 1, C), and of the targets (B, K)."""

    mean: Tensor
    std: Tensor
    target_mean: Tensor
    target_std: Tensor


class ForecastingModule(SupervisedModule):
    """One network that predicts all steps of the horizon."""

    task: Forecasting
    mean: Tensor
    std: Tensor

    def __init__(
        self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: Forecasting
    ) -> None:
        super().__init__(networks, facts, learning, task)
        history, target = facts.fields["history"], facts.fields["target"]
        assert history.stats is not None
        self.horizon, self.columns = (int(d or 0) for d in target.dims)
        self.register_buffer("mean", torch.tensor(history.stats.mean, dtype=WIDE))
        self.register_buffer("std", torch.tensor([s or 1.0 for s in history.stats.std], dtype=WIDE))
        self._known = [history.names.index(name) for name in facts.fields["future"].names] if self._has_future else []
        self._baselines = nn.ModuleDict({who: build_meters(task.metrics, facts) for who in baselines(facts)})

    @property
    def _has_future(self) -> bool:
        return "future" in self.facts.inputs

    def scale_of(self, batch: Batch) -> WindowScale:
        """Return the scale in which the network sees each window of a batch."""
        history_BLC = batch["history"].to(self.mean.dtype)
        mean_B1C, std_B1C = self.mean.expand_as(history_BLC[:, :1]), self.std.expand_as(history_BLC[:, :1])
        if self.task.scaling == "window":
            mean_B1C = history_BLC.mean(1, keepdim=True)
            std_B1C = history_BLC.std(1, unbiased=False, keepdim=True).clamp(min=MIN_STD * self.std)
        of_target = (x_B1C[..., : self.columns].repeat(1, self.horizon, 1).flatten(1) for x_B1C in (mean_B1C, std_B1C))
        return WindowScale(mean_B1C, std_B1C, *of_target)

    def input_of(self, batch: Batch) -> Any:
        scale = self.scale_of(batch)
        seen = {"history": ((batch["history"] - scale.mean) / scale.std).float()}
        if self._has_future:
            mean, std = scale.mean[..., self._known], scale.std[..., self._known]
            seen["future"] = ((batch["future"] - mean) / std).float()
        return seen if len(self.facts.inputs) > 1 else seen["history"]

    def loss_output(self, output_BKQ: Tensor, batch: Batch) -> Tensor:
        return output_BKQ.to(self.loss_dtype)

    def loss_target(self, batch: Batch) -> Tensor:
        scale = self.scale_of(batch)
        scaled_BK: Tensor = (batch["target"].flatten(1) - scale.target_mean) / scale.target_std
        return scaled_BK.to(self.loss_dtype)

    def predict(self, output_BKQ: Tensor, batch: Batch) -> Tensor:
        """Return forecasts (B, K · Q) in the series' units, all quantiles where the loss learns some."""
        scale = self.scale_of(batch)
        forecast_BKQ = super().predict(output_BKQ, batch).unflatten(1, (self.horizon * self.columns, -1))
        values_BKQ: Tensor = forecast_BKQ * scale.target_std[..., None] + scale.target_mean[..., None]
        return values_BKQ.flatten(1)

    def naive_forecasts(self, batch: Batch) -> dict[str, Tensor]:
        """Return the forecasts (B, K) that learn nothing."""
        past_BLF = batch["history"][..., : self.columns]
        history, season = past_BLF.shape[1], self.facts.season
        steps = {who: repeated_step_indices(who, history, self.horizon, season) for who in self._baselines}
        return {who: past_BLF[:, repeated].flatten(1) for who, repeated in steps.items()}

    # -- evaluation ---------------------------------------------------------------------------------------------------

    def predictions_and_targets(self, output_BKQ: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        prediction_BK, _ = super().predictions_and_targets(output_BKQ, batch)
        return prediction_BK, batch["target"].flatten(1)

    def evaluate_predictions(self, predictions: Tensor, batch: Batch) -> None:
        self.update_metrics(self.task.loss.point(predictions), batch["target"].flatten(1))

    def evaluate_batch(self, batch: Batch) -> Tensor:
        output_BKQ = super().evaluate_batch(batch)
        target_BK = batch["target"].flatten(1)
        for who, forecast_BK in self.naive_forecasts(batch).items():
            for meter in self._baseline_meters(who).values():
                meter.update(forecast_BK, target_BK)
        return output_BKQ

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        output_BKQ = self.evaluate_batch(batch)
        prediction_BK, target_BK = self.predictions_and_targets(output_BKQ, batch)
        values = {"predictions": prediction_BK, "targets": target_BK, "losses": self.sample_losses(output_BKQ, batch)}
        ends = self.task.loss.interval(self.predict(output_BKQ, batch)) or ()
        self.outputs.add(batch["rows"], {**values, **dict(zip(("low", "high"), ends, strict=False))})

    def compute_metrics(self, split: str) -> dict[str, Tensor]:
        meters = {f"{name}.{who}": m for who in self._baselines for name, m in self._baseline_meters(who).items()}
        return {**super().compute_metrics(split), **{f"{split}/{name}": m.compute() for name, m in meters.items()}}

    def baseline_metrics(self, prediction: Tensor, fields: Mapping[str, Any]) -> dict[str, Tensor]:
        return super().baseline_metrics(prediction.flatten(1), {**fields, "target": fields["target"].flatten(1)})

    def reset_metrics(self) -> None:
        super().reset_metrics()
        for who in self._baselines:
            for meter in self._baseline_meters(who).values():
                meter.reset()

    def _baseline_meters(self, who: str) -> dict[str, torchmetrics.Metric]:
        """Return the metrics of a naive forecast."""
        return meters_by_name(self._baselines[who])  # type: ignore[arg-type]
