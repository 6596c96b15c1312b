"""Training with a target: one network, one loss, metrics on every evaluated split."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import torch
import torchmetrics
from torch import Tensor, nn

from dlx.facts import DataFacts
from dlx.losses import Loss
from dlx.metrics import Metric
from dlx.nn.context import Context, apply
from dlx.nn.features import before_last
from dlx.nn.gradient_norms import gradient_norms_by_step
from dlx.nn.protocols import AuxiliaryOutput
from dlx.tasks import Learning
from dlx.tasks._base.module import TaskModule
from dlx.tasks._base.optimizer_step import Batch

KEPT_OUTPUTS = 20_000  # test predictions that are kept for pictures


@dataclass(frozen=True)
class Judged:
    """What a network said about N samples: arrays on the CPU, and the inputs that it saw, as the source has them."""

    rows: np.ndarray
    predictions: np.ndarray
    targets: np.ndarray
    losses: np.ndarray
    inputs: Mapping[str, Any]


@dataclass
class Outputs:
    """Predictions, targets and each sample's loss, gathered batch by batch."""

    rows: list[Tensor] = field(default_factory=list)
    predictions: list[Tensor] = field(default_factory=list)
    targets: list[Tensor] = field(default_factory=list)
    losses: list[Tensor] = field(default_factory=list)

    def add(self, batch: Batch, prediction: Tensor, losses: Tensor) -> None:
        """Keep a batch, unless there is enough."""
        if sum(len(p) for p in self.predictions) < KEPT_OUTPUTS:
            pairs = ((self.rows, batch["rows"]), (self.predictions, prediction), (self.targets, batch["target"]))
            for kept, value in (*pairs, (self.losses, losses)):
                kept.append(value.detach().cpu())

    def join(self, other: Outputs) -> None:
        """Add what another process gathered."""
        for kept, more in ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self)):
            kept.extend(more)

    def joined(self, arrays: Mapping[str, Any]) -> Judged:
        """Return everything as arrays, with the inputs of these samples taken from the data's own."""
        rows, predictions, targets, losses = (
            torch.cat(x).float().numpy() for x in (self.rows, self.predictions, self.targets, self.losses)
        )
        return Judged(rows.astype(int), predictions, targets, losses, arrays)


class SupervisedModule(TaskModule):
    """One network that maps the input to a prediction of the target."""

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        facts: DataFacts,
        learning: Learning,
        loss: Loss,
        metrics: Mapping[str, Metric],
    ) -> None:
        super().__init__(networks, facts, learning)
        (self.role,) = networks
        self.judge = loss
        self.loss: Callable[[Tensor, Tensor], Tensor] = loss.build(facts)
        self._metrics = built(metrics, facts)
        self.loss_meter = torchmetrics.MeanMetric()
        self.outputs = Outputs()
        self._auxiliary_heads = [m for m in self.networks.modules() if isinstance(m, AuxiliaryOutput)]

    def predict(self, output_BK: Tensor) -> Tensor:
        """Return the prediction (B, …) of the network's output: probabilities, or values in the target's units."""
        return self.judge.predict(output_BK, self.facts)

    def loss_of(self, output_BK: Tensor, target: Tensor) -> Tensor:
        """Return the mean loss of a batch."""
        return self.loss(output_BK, target)

    def forward(self, x: Any, context: Context | None = None) -> Tensor:
        output_BK: Tensor = apply(self.networks[self.role], x, context)
        return output_BK

    def learn(self, batch: Batch) -> None:
        self.note_loss(self.update(self.role, batch, self.objective))

    def objective(self, batch: Batch) -> Tensor:
        """Return the mean loss of a batch, with that of what layers inside of the network answer."""
        loss = self.mean_loss(self.run(self.role, batch), batch)
        for head in self._auxiliary_heads:
            if head.auxiliary_output is not None:
                loss = loss + head.weight * self.mean_loss(head.auxiliary_output, batch)
        return loss

    def mean_loss(self, output: Tensor, batch: Batch) -> Tensor:
        """Return the mean loss of an answer to a batch."""
        return self.loss_of(output, batch["target"])

    def embed(self, batch: Batch) -> Tensor:
        """Return what the last layer with weights receives, one vector (B, F) a sample."""
        return before_last(
            self.networks[self.role], lambda: self.run(self.role, batch), self.context_of(batch).get("mask")
        )

    def figure_inputs(self, batch: Batch) -> Any:
        kept, self.outputs = self.outputs, type(self.outputs)()
        self._reset()
        self.test_step(batch, 0)
        looked, self.outputs = self.outputs, kept
        return looked

    def gradient_norms(self, batch: Batch) -> dict[str, np.ndarray]:
        """Return, for every recurrent layer, how much the state after each step matters to the loss of a batch."""
        norms = gradient_norms_by_step(self.networks[self.role].eval(), lambda: self.objective(batch))
        return {name: norm_T.cpu().numpy() for name, norm_T in norms.items()}

    def on_validation_epoch_start(self) -> None:
        self._reset()

    def on_test_epoch_start(self) -> None:
        self._reset()
        self.outputs = Outputs()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._measure(batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        output_BK = self._measure(batch)
        pairs = zip(output_BK, batch["target"], strict=True)
        losses = torch.stack([self.loss_of(o[None], t[None]) for o, t in pairs])
        self.outputs.add(batch, self.judge.point(self.predict(output_BK)), losses)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self.predict(self.run(self.role, batch))

    def measured(self, split: str) -> dict[str, Tensor]:
        scalars = {f"{split}/{name}": meter.compute() for name, meter in self.meters.items()}
        return {f"{split}/loss": self.loss_meter.compute(), **{k: v for k, v in scalars.items() if v.ndim == 0}}

    def _measure(self, batch: Batch) -> Tensor:
        target: Tensor = batch["target"]
        output: Tensor = self.run(self.role, batch).float()
        self.loss_meter.update(self.loss_of(output, target).detach(), weight=len(target))
        self.compare(self.predict(output), target)
        return output

    def compare(self, prediction: Tensor, target: Tensor) -> None:
        """Update every metric with a batch's predictions."""
        point = self.judge.point(prediction)
        for meter in self.meters.values():
            meter.update(point, target.long() if self.facts.classes else target)

    @property
    def meters(self) -> dict[str, torchmetrics.Metric]:
        """The metrics by name; as modules of this one they move to its device."""
        return by_name(self._metrics)

    def _reset(self) -> None:
        for meter in (self.loss_meter, *self.meters.values()):
            meter.reset()


def built(metrics: Mapping[str, Metric], facts: DataFacts) -> nn.ModuleDict:
    """Return metrics as modules; `by_name` gives them back under their names."""
    return nn.ModuleDict({_key(name): metric.build(facts) for name, metric in metrics.items()})


def by_name(metrics: nn.ModuleDict) -> dict[str, torchmetrics.Metric]:
    """Return built metrics by their names."""
    return {_name(key): meter for key, meter in metrics.items()}  # type: ignore[misc]


def _key(name: str) -> str:
    """Return a module name for a metric: torch forbids dots and some attribute names."""
    return f"metric_{name.replace('.', '__')}"


def _name(key: str) -> str:
    return key.removeprefix("metric_").replace("__", ".")
