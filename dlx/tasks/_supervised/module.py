"""Supervised learning: one network, one loss, metrics on every evaluated split.   B batch, K outputs, N samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torchmetrics
from torch import Tensor, nn

from dlx.facts import DataFacts
from dlx.nn.context import Context, apply
from dlx.nn.features import penultimate_features
from dlx.nn.gradient_norms import gradient_norms_by_step
from dlx.nn.protocols import AuxiliaryOutput, Batch
from dlx.tasks import TERMS, Learning
from dlx.tasks._base.evaluation import EvaluationBuffer
from dlx.tasks._base.gradient_accumulation import mean_terms
from dlx.tasks._base.meters import build_meters, meters_by_name
from dlx.tasks._base.module import TaskModule

if TYPE_CHECKING:
    from dlx.tasks._supervised.spec import SupervisedTask

MAX_SAMPLES = 20_000  # of a test, of which figures are drawn


class SupervisedModule(TaskModule):
    """One network that maps the input to a prediction of the target."""

    task: SupervisedTask
    outputs: Any

    def __init__(
        self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: SupervisedTask
    ) -> None:
        super().__init__(networks, facts, learning, task)
        (self.role,) = networks
        self.criterion: Callable[[Tensor, Tensor], Tensor] = self.build_criterion()
        self._metrics = self.build_meters()
        self.loss_meter = torchmetrics.MeanMetric()
        self.outputs = self.new_outputs()
        self._auxiliary_outputs = [m for m in self.networks.modules() if isinstance(m, AuxiliaryOutput)]

    def build_criterion(self) -> nn.Module:
        """Return the loss function, called with outputs and targets."""
        return self.task.loss.build(self.facts)

    def build_meters(self) -> nn.ModuleDict:
        """Return the metrics that compare predictions with targets."""
        return build_meters(self.task.metrics, self.facts)

    def forward(self, x: Any, context: Context | None = None) -> Tensor:
        output_BK: Tensor = apply(self.networks[self.role], x, context)
        return output_BK

    # -- loss and prediction ------------------------------------------------------------------------------------------

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean loss of a batch, with that of auxiliary outputs of the network."""
        loss = self.output_loss(self.network_output(self.role, batch), batch)
        for layer in self._auxiliary_outputs:
            if layer.auxiliary_output is not None:
                loss = loss + layer.weight * self.output_loss(layer.auxiliary_output, batch)
        return loss

    def output_loss(self, output: Tensor, batch: Batch) -> Tensor:
        """Return the mean loss of an output; of a micro-batch, its part of the batch's mean."""
        target = self.loss_target(batch)
        loss = self.criterion(self.loss_output(output, batch), target)
        return loss * (self.loss_terms(target) / batch[TERMS].sum()) if TERMS in batch else loss

    def loss_output(self, output: Tensor, batch: Batch) -> Tensor:
        """Return the outputs (N, …) that the loss compares with targets."""
        return output

    @property
    def loss_dtype(self) -> torch.dtype:
        """In what numbers are compared with targets: that of the networks, but of 32 bits at least."""
        return torch.promote_types(self.dtype, torch.float32)  # type: ignore[arg-type]

    def loss_target(self, batch: Batch) -> Tensor:
        """Return the targets (N, …) that the loss compares with outputs."""
        return batch["target"]

    def loss_terms(self, target: Tensor) -> Tensor | int:
        """Return the denominator of the mean loss of these targets."""
        return len(target) if self.averages_samples else self.task.loss.denominator(target, self.facts)

    def prepare_step(self, batch: Batch) -> Batch:
        if not self.splits_batches or self.averages_samples:
            return batch
        return {**batch, TERMS: mean_terms(self.loss_terms(self.loss_target(batch)), batch)}

    @property
    def averages_samples(self) -> bool:
        """Whether the loss is a mean over samples that all count the same."""
        return self.task.loss.averages_samples(self.facts)

    def predict(self, output: Tensor, batch: Batch) -> Tensor:
        """Return the prediction of the network's output: probabilities, or values in the target's units."""
        return self.task.loss.predict(output, self.facts)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self.predict(self.network_output(self.role, batch), batch)

    def embed(self, batch: Batch) -> Tensor:
        """Return the input of the last layer with weights, one vector (B, F) a sample."""
        mask_BT = self.context_of(batch).get("mask")
        return penultimate_features(self.networks[self.role], lambda: self.network_output(self.role, batch), mask_BT)

    def gradient_norms(self, batch: Batch) -> dict[str, np.ndarray]:
        """Return, for every recurrent layer, the norm of the loss's gradient in the state after each step."""
        norms = gradient_norms_by_step(self.networks[self.role].eval(), lambda: self.loss(batch))
        return {name: norm_T.cpu().numpy() for name, norm_T in norms.items()}

    # -- evaluation ---------------------------------------------------------------------------------------------------

    @property
    def meters(self) -> dict[str, torchmetrics.Metric]:
        """The metrics by name; as modules of this one they move to its device."""
        return meters_by_name(self._metrics)

    def new_outputs(self) -> Any:
        """Return an empty buffer for a test's outputs."""
        return EvaluationBuffer(MAX_SAMPLES)

    def on_validation_epoch_start(self) -> None:
        self.reset_metrics()

    def on_test_epoch_start(self) -> None:
        self.reset_metrics()
        self.outputs = self.new_outputs()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.evaluate_batch(batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        output = self.evaluate_batch(batch)
        predictions, targets = self.predictions_and_targets(output, batch)
        losses = self.sample_losses(output, batch)
        self.outputs.add(batch["rows"], {"predictions": predictions, "targets": targets, "losses": losses})

    def evaluate_batch(self, batch: Batch) -> Tensor:
        """Update the metrics with a batch; return the network's output."""
        output: Tensor = self.network_output(self.role, batch).float()
        target = self.loss_target(batch)
        loss = self.criterion(self.loss_output(output, batch), target)
        self.loss_meter.update(loss.detach(), weight=self.loss_terms(target))
        self.evaluate_output(output, batch)
        return output

    def evaluate_output(self, output: Tensor, batch: Batch) -> None:
        """Update the metrics with the predictions of an output."""
        self.update_metrics(*self.predictions_and_targets(output, batch))

    def predictions_and_targets(self, output: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return predictions (N, …), one value for each target, and the targets, as metrics compare them."""
        return self.task.loss.point(self.predict(output, batch)), batch["target"]

    def update_metrics(self, prediction: Tensor, target: Tensor) -> None:
        """Update every metric with predictions."""
        for meter in self.meters.values() if len(target) else ():
            meter.update(prediction, target.long() if self.facts.classes else target)

    def sample_losses(self, output: Tensor, batch: Batch) -> Tensor:
        """Return the loss (N,) of every sample by itself."""
        pairs = zip(self.loss_output(output, batch), self.loss_target(batch), strict=True)
        return torch.stack([self.criterion(o[None], t[None]) for o, t in pairs])

    def evaluate_predictions(self, predictions: Tensor, batch: Batch) -> None:
        """Update the metrics with predictions of any origin, as `predict_step` returns them."""
        self.update_metrics(self.task.loss.point(predictions), batch["target"])

    def prediction_metrics(self) -> dict[str, Tensor]:
        """Return the scalar metrics of the predictions by name."""
        found = {name: meter.compute() for name, meter in self.meters.items()}
        return {name: value for name, value in found.items() if value.ndim == 0}

    def compute_metrics(self, split: str) -> dict[str, Tensor]:
        scalars = {f"{split}/{name}": value for name, value in self.prediction_metrics().items()}
        return {f"{split}/loss": self.loss_meter.compute(), **scalars}

    def reset_metrics(self) -> None:
        """Forget what was measured of the last split."""
        for meter in (self.loss_meter, *self.meters.values()):
            meter.reset()

    def baseline_fields(self, batch: Batch, index_B: Tensor, training: bool) -> dict[str, Tensor]:
        return {name: batch[name] for name in (*self.facts.inputs, "target")}

    def baseline_metrics(self, prediction: Tensor, fields: Mapping[str, Any]) -> dict[str, Tensor]:
        meters, target = self.build_meters(), fields["target"]
        for meter in meters_by_name(meters).values():
            meter.update(prediction, target.long() if self.facts.classes else target)
        return {name: meter.compute() for name, meter in meters_by_name(meters).items()}

    def figure_inputs(self, batch: Batch) -> Any:
        kept, self.outputs = self.outputs, self.new_outputs()
        self.reset_metrics()
        self.test_step(batch, 0)
        found, self.outputs = self.outputs, kept
        return found
