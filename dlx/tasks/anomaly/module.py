"""Anomaly detection: scores of samples by their reconstruction, and a threshold. N samples of a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torchmetrics import CatMetric
from torchmetrics.functional.classification import binary_auroc

from dlx.facts import DataFacts
from dlx.nn.images import to_image
from dlx.nn.protocols import Batch
from dlx.tasks import Learning
from dlx.tasks._generative.autoencoder_module import SHEET, AutoencoderModule
from dlx.tasks._unsupervised.module import to_vectors

if TYPE_CHECKING:
    from dlx.tasks.anomaly import Anomaly

COLLECTED = ("loss", "mse", "anomalous")


class AnomalyModule(AutoencoderModule):
    """An autoencoder that knows from which error on a sample is an anomaly."""

    task: Anomaly
    threshold: Tensor
    is_holdout_class: Tensor

    def __init__(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: Anomaly) -> None:
        super().__init__(networks, facts, learning, task)
        self.register_buffer("threshold", torch.tensor(torch.finfo(torch.float32).max))
        holdout = [count == 0 for count in facts.class_counts]
        self.register_buffer("is_holdout_class", torch.tensor(holdout or [False]), persistent=False)
        self.collected = nn.ModuleDict({name: CatMetric() for name in COLLECTED})

    def sample_metrics(self) -> Sequence[str]:
        return ()

    def on_split_start(self) -> None:
        for meter in self.collected.values():
            meter.reset()  # type: ignore[operator]

    def evaluate_batch(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        found = super().evaluate_batch(batch, index_B)
        for name, value_B in zip(COLLECTED, (found["loss"], found["mse"], self.is_anomaly(batch)), strict=True):
            self.collected[name].update(value_B)  # type: ignore[operator]
        return found

    def is_anomaly(self, batch: Batch) -> Tensor:
        """Return 1 for samples that are known to be anomalies, 0 for others (B,)."""
        known_B = self.is_holdout_class[batch["target"]] if self.task.labeled else torch.zeros_like(batch["rows"])
        return known_B.float()

    def baseline_fields(self, batch: Batch, index_B: Tensor, training: bool) -> dict[str, Tensor]:
        return {**super().baseline_fields(batch, index_B, training), "anomalous": self.is_anomaly(batch)}

    def baseline_metrics(self, prediction: Tensor, fields: Mapping[str, Any]) -> dict[str, Tensor]:
        mse_N, anomalous_N = to_vectors((prediction - fields["target"]).square()).mean(1), fields["anomalous"] > 0
        found = {"mse": mse_N[~anomalous_N].mean()}
        return {**found, "auroc": binary_auroc(mse_N, anomalous_N.long())} if self.task.labeled else found

    def extra_outputs(self, batch: Batch) -> dict[str, Tensor]:
        return {"anomalous": self.is_anomaly(batch)}

    def split_metrics(self, split: str) -> dict[str, Tensor]:
        loss_N, mse_N, anomalous_N = (self.collected[name].compute() for name in COLLECTED)  # type: ignore[operator]
        anomalous_N = anomalous_N > 0
        normal_N = mse_N[~anomalous_N]
        if self.trainer.state.fn == "fit":
            self.threshold.copy_(normal_N.quantile(self.task.quantile))
        above_N = (mse_N > self.threshold).float()
        found = {"loss": loss_N[~anomalous_N].mean(), "mse": normal_N.mean()}
        if not self.task.labeled:
            return {**found, "anomaly_rate": above_N.mean()}
        return {
            **found,
            "auroc": binary_auroc(mse_N, anomalous_N.long()),
            "recall": (above_N * anomalous_N).sum() / anomalous_N.sum().clamp_min(1),
            "false_positive_rate": above_N[~anomalous_N].mean(),
        }

    def collect_figures(self, few: bool = False) -> None:
        self.outputs.extras["threshold"] = self.threshold.cpu().numpy().copy()

    def collect_reconstructions(self, x: Tensor, seen: Tensor, again: Tensor, error_B: Tensor) -> None:
        """Collect the images with the highest scores so far, and their reconstructions."""
        if self.spec.axes != "CHW":
            return
        pairs = torch.stack([to_image(images, self.spec) for images in (x, again)])
        extras = self.outputs.extras
        if "reconstructions" in extras:
            pairs = torch.cat([torch.from_numpy(extras["reconstructions"]), pairs], 1)
            error_B = torch.cat([torch.from_numpy(extras["errors"]), error_B.cpu()])
        worst = error_B.cpu().argsort(descending=True, stable=True)[:SHEET]
        extras |= {"reconstructions": pairs[:, worst].numpy(), "errors": error_B.cpu()[worst].numpy()}

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return each sample's score, and 1 where it is an anomaly (B, 2)."""
        score_B = super().predict_step(batch, batch_idx)[:, 0]
        return torch.stack([score_B, (score_B > self.threshold).float()], 1)
