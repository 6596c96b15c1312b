"""Scores of samples by their reconstruction, and a threshold between ordinary and strange. N samples of a split."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torchmetrics import CatMetric
from torchmetrics.functional.classification import binary_auroc

from dlx.facts import DataFacts
from dlx.nn.images import as_picture
from dlx.tasks import Learning
from dlx.tasks._base.optimizer_step import Batch
from dlx.tasks._generative.autoencoder_module import SHEET, AutoencoderModule
from dlx.tasks._generative.autoencoder_spec import DECODER, ENCODER, Autoencoding
from dlx.tasks._unsupervised.module import flat

GATHERED = ("loss", "mse", "strange")


class AnomalyModule(AutoencoderModule):
    """An autoencoder that knows from which error on a sample is strange."""

    threshold: Tensor
    unseen: Tensor

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        facts: DataFacts,
        learning: Learning,
        task: Autoencoding,
        quantile: float,
        labeled: bool,
    ) -> None:
        super().__init__(networks, facts, learning, task)
        self.quantile, self.labeled = quantile, labeled
        self.register_buffer("threshold", torch.tensor(torch.finfo(torch.float32).max))
        unseen = [count == 0 for count in facts.class_counts]
        self.register_buffer("unseen", torch.tensor(unseen or [False]), persistent=False)
        self.gathered = nn.ModuleDict({name: CatMetric() for name in GATHERED})

    def singly(self, task: Autoencoding, facts: DataFacts) -> list[str]:
        return []

    def begin(self) -> None:
        for gathered in self.gathered.values():
            gathered.reset()  # type: ignore[operator]

    def evaluate_batch(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        found = super().evaluate_batch(batch, index_B)
        for name, value_B in zip(GATHERED, (found["loss"], found["mse"], self.strange(batch)), strict=True):
            self.gathered[name].update(value_B)  # type: ignore[operator]
        return found

    def strange(self, batch: Batch) -> Tensor:
        """Return 1 for samples that are known to be strange, 0 for others (B,)."""
        strange_B = self.unseen[batch["target"]] if self.labeled else torch.zeros_like(batch["rows"])
        return strange_B.float()

    def also_kept(self, batch: Batch) -> dict[str, Tensor]:
        return {"strange": self.strange(batch)}

    def summary(self, split: str) -> dict[str, Tensor]:
        loss_N, mse_N, strange_N = (self.gathered[name].compute() for name in GATHERED)  # type: ignore[operator]
        strange_N = strange_N > 0
        ordinary_N = mse_N[~strange_N]
        if self.trainer.state.fn == "fit":
            self.threshold.copy_(ordinary_N.quantile(self.quantile))
        above_N = (mse_N > self.threshold).float()
        found = {"loss": loss_N[~strange_N].mean(), "mse": ordinary_N.mean()}
        if not self.labeled:
            return {**found, "anomaly_rate": above_N.mean()}
        return {
            **found,
            "auroc": binary_auroc(mse_N, strange_N.long()),
            "recall": (above_N * strange_N).sum() / strange_N.sum().clamp_min(1),
            "false_positive_rate": above_N[~strange_N].mean(),
        }

    def show(self, few: bool = False) -> None:
        self.outputs.made["threshold"] = self.threshold.cpu().numpy().copy()

    def keep_sheet(self, x: Tensor, seen: Tensor, again: Tensor, error_B: Tensor) -> None:
        """Keep the samples with the highest scores so far, and what became of them."""
        if self.spec.axes != "CHW":
            return
        pairs = torch.stack([as_picture(images, self.spec) for images in (x, again)])
        if "sheet" in self.outputs.made:
            pairs = torch.cat([torch.from_numpy(self.outputs.made["sheet"]), pairs], 1)
            error_B = torch.cat([torch.from_numpy(self.outputs.made["errors"]), error_B.cpu()])
        worst = error_B.cpu().argsort(descending=True, stable=True)[:SHEET]
        self.outputs.made |= {"sheet": pairs[:, worst].numpy(), "errors": error_B.cpu()[worst].numpy()}

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        x = self.input_of(batch)
        again = self.reconstructed(self.networks[DECODER](self.networks[ENCODER](x)))
        score_B = flat((again - x).square()).mean(1)
        return torch.stack([score_B, (score_B > self.threshold).float()], 1)
