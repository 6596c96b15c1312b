"""Forecasting: a network in scaled units, beside forecasts that learn nothing.

B batch, L steps of history, T steps of horizon, C columns of the history, of which the first F are the targets,
K = T · F, Q quantiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torchmetrics
from torch import Tensor, nn

from dlx.facts import DataFacts
from dlx.losses import Loss
from dlx.metrics import Metric
from dlx.nn.wide import WIDE
from dlx.tasks import Learning
from dlx.tasks._base.optimizer_step import Batch
from dlx.tasks._supervised.module import KEPT_OUTPUTS, Judged, Outputs, SupervisedModule, built, by_name
from dlx.tasks.forecasting._baselines import NAIVE, SEASONAL, baselines

FLAT = 1e-3  # a window that moves less than this share of the train split's deviation is not blown up


@dataclass(frozen=True)
class JudgedForecasts(Judged):
    """Forecasts (N, K) with the ends of their intervals, where the loss makes one."""

    low: np.ndarray | None
    high: np.ndarray | None


@dataclass
class ForecastOutputs(Outputs):
    """Forecasts, gathered batch by batch."""

    low: list[Tensor] = field(default_factory=list)
    high: list[Tensor] = field(default_factory=list)

    def joined(self, arrays: Mapping[str, Any]) -> JudgedForecasts:
        ends = [torch.cat(end).float().numpy() if end else None for end in (self.low, self.high)]
        known = super().joined(arrays)
        return JudgedForecasts(**vars(known), low=ends[0], high=ends[1])


@dataclass(frozen=True)
class Units:
    """Where zero is and how long one is, for every column of each window (B, 1, C); and of the targets (B, K)."""

    zero: Tensor
    one: Tensor
    target_zero: Tensor
    target_one: Tensor


class ForecastingModule(SupervisedModule):
    """One network that predicts all steps of the horizon."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        facts: DataFacts,
        learning: Learning,
        loss: Loss,
        metrics: Mapping[str, Metric],
        by_window: bool,
    ) -> None:
        super().__init__(networks, facts, learning, loss, metrics)
        history, target = facts.fields["history"], facts.fields["target"]
        assert history.stats is not None
        self.by_window = by_window
        self.horizon, self.columns = (int(d or 0) for d in target.dims)
        self.register_buffer("mean", torch.tensor(history.stats.mean, dtype=WIDE))
        self.register_buffer("std", torch.tensor([s or 1.0 for s in history.stats.std], dtype=WIDE))
        self._known = [history.names.index(name) for name in facts.fields["future"].names] if self._has_future else []
        self._baselines = nn.ModuleDict({who: built(metrics, facts) for who in baselines(facts)})

    @property
    def _has_future(self) -> bool:
        return "future" in self.facts.inputs

    def units(self, batch: Batch) -> Units:
        """Return the units in which the network sees a batch."""
        history_BLC = batch["history"].to(self.mean.dtype)
        zero_B1C, one_B1C = self.mean.expand_as(history_BLC[:, :1]), self.std.expand_as(history_BLC[:, :1])
        if self.by_window:
            zero_B1C = history_BLC.mean(1, keepdim=True)
            one_B1C = history_BLC.std(1, unbiased=False, keepdim=True).clamp(min=FLAT * self.std)
        of_target = (x_B1C[..., : self.columns].repeat(1, self.horizon, 1).flatten(1) for x_B1C in (zero_B1C, one_B1C))
        return Units(zero_B1C, one_B1C, *of_target)

    def input_of(self, batch: Batch) -> Any:
        units = self.units(batch)
        seen = {"history": ((batch["history"] - units.zero) / units.one).float()}
        if self._has_future:
            zero, one = units.zero[..., self._known], units.one[..., self._known]
            seen["future"] = ((batch["future"] - zero) / one).float()
        return seen if len(self.facts.inputs) > 1 else seen["history"]

    def mean_loss(self, output: Tensor, batch: Batch) -> Tensor:
        return self.loss(output, self._scaled(batch))

    def naive(self, batch: Batch) -> dict[str, Tensor]:
        """Return the forecasts (B, K) that learn nothing."""
        past_BLF = batch["history"][..., : self.columns]
        season = self.facts.season
        before = past_BLF.shape[1] - season + torch.arange(self.horizon) % season
        made = {NAIVE: past_BLF[:, -1:].expand(-1, self.horizon, -1), SEASONAL: past_BLF[:, before.to(past_BLF.device)]}
        return {who: made[who].flatten(1).contiguous() for who in self._baselines}

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        assert isinstance(self.outputs, ForecastOutputs)
        output_BKQ = self._measure(batch)
        units = self.units(batch)
        target_BK = batch["target"].flatten(1)
        pairs = zip(output_BKQ, self._scaled(batch), strict=True)
        losses_B = torch.stack([self.loss(o[None], t[None]) for o, t in pairs])
        forecast_BKQ = self._forecast(output_BKQ, units)
        ends = self.judge.interval(forecast_BKQ) or ()
        if sum(len(p) for p in self.outputs.predictions) < KEPT_OUTPUTS:
            for kept, end_BK in zip((self.outputs.low, self.outputs.high), ends, strict=False):
                kept.append(end_BK.cpu())
        self.outputs.add({**batch, "target": target_BK}, self.judge.point(forecast_BKQ), losses_B)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self._forecast(self.run(self.role, batch), self.units(batch))

    def measured(self, split: str) -> dict[str, Tensor]:
        others = {
            f"{split}/{name}.{who}": meter.compute() for who in self._baselines for name, meter in self._of(who).items()
        }
        return {**super().measured(split), **others}

    def on_test_epoch_start(self) -> None:
        super().on_test_epoch_start()
        self.outputs = ForecastOutputs()

    def _of(self, who: str) -> dict[str, torchmetrics.Metric]:
        """Return the metrics of a forecast that learns nothing."""
        return by_name(self._baselines[who])  # type: ignore[arg-type]

    def _scaled(self, batch: Batch) -> Tensor:
        """Return the target (B, K) as the network sees it."""
        units = self.units(batch)
        return ((batch["target"].flatten(1) - units.target_zero) / units.target_one).float()

    def _forecast(self, output_BKQ: Tensor, units: Units) -> Tensor:
        """Return forecasts (B, K · Q) in the series' units, all quantiles where the loss learns some."""
        forecast_BKQ = self.judge.predict(output_BKQ, self.facts).unflatten(1, (self.horizon * self.columns, -1))
        values_BKQ: Tensor = forecast_BKQ * units.target_one[..., None] + units.target_zero[..., None]
        return values_BKQ.flatten(1)

    def _measure(self, batch: Batch) -> Tensor:
        output_BKQ: Tensor = self.run(self.role, batch).float()
        self.loss_meter.update(self.loss(output_BKQ, self._scaled(batch)).detach(), weight=len(output_BKQ))
        target_BK = batch["target"].flatten(1)
        self.compare(self._forecast(output_BKQ, self.units(batch)), target_BK)
        for who, forecast_BK in self.naive(batch).items():
            for meter in self._of(who).values():
                meter.update(forecast_BK, target_BK)
        return output_BKQ

    def _reset(self) -> None:
        super()._reset()
        for who in self._baselines:
            for meter in self._of(who).values():
                meter.reset()
