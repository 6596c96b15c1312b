"""Segmentation: every pixel is a sample of loss and metrics.   B batch, K classes, H × W pixels, N = B · H · W."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchmetrics.classification import MulticlassConfusionMatrix

from dlx.facts import IGNORED, DataFacts
from dlx.losses import Loss
from dlx.metrics import Metric
from dlx.tasks import Learning
from dlx.tasks._base.optimizer_step import Batch
from dlx.tasks._supervised.module import Judged, Outputs, SupervisedModule

WORST = 8  # images that are kept for the sheet of the worst


@dataclass(frozen=True)
class JudgedMasks(Judged):
    """The worst images of a split, and how many of all its pixels (rows: true) were answered with which class."""

    pixels: np.ndarray

    @property
    def count(self) -> int:
        """Images in the split."""
        return int(self.pixels.sum()) // int(self.targets[0].size)


class WorstMasks(Outputs):
    """The images with the highest loss so far, and the pixels of all images counted, once the split is over."""

    pixels: Tensor | None = None

    def add(self, batch: Batch, prediction: Tensor, losses: Tensor) -> None:
        found = (batch["rows"], prediction, batch["target"], losses)
        for kept, value in zip(self._parts(), found, strict=True):
            kept.append(value.detach().cpu())
        self._choose()

    def joined(self, arrays: Mapping[str, Any]) -> JudgedMasks:
        self._choose()
        rows, codes, targets, losses = (kept[0].numpy() for kept in self._parts())
        assert self.pixels is not None
        return JudgedMasks(rows, codes, targets, losses, arrays, self.pixels.cpu().numpy())

    def _parts(self) -> tuple[list[Tensor], ...]:
        return self.rows, self.predictions, self.targets, self.losses

    def _choose(self) -> None:
        worst = torch.cat(self.losses).argsort(descending=True, stable=True)[:WORST]
        for kept in self._parts():
            kept[:] = [torch.cat(kept)[worst]]


class SegmentationModule(SupervisedModule):
    """One network that maps images to scores of each class at every pixel."""

    figure_samples = 32
    outputs: WorstMasks

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        facts: DataFacts,
        learning: Learning,
        loss: Loss,
        metrics: Mapping[str, Metric],
    ) -> None:
        super().__init__(networks, facts, learning, loss, metrics)
        self.loss = loss.build_elementwise(facts)
        self.outputs = WorstMasks()
        self.confusion = MulticlassConfusionMatrix(len(facts.classes), ignore_index=IGNORED if facts.ignored else None)

    def compare(self, prediction_BKHW: Tensor, target_BHW: Tensor) -> None:
        prediction_NK, target_N = _pixels(prediction_BKHW), target_BHW.flatten()
        if self.facts.ignored:
            prediction_NK, target_N = prediction_NK[target_N != IGNORED], target_N[target_N != IGNORED]
        if len(target_N):
            super().compare(prediction_NK, target_N)
        self.confusion.update(prediction_BKHW.argmax(1), target_BHW)

    def on_test_epoch_start(self) -> None:
        super().on_test_epoch_start()
        self.outputs = WorstMasks()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        output_BKHW = self._measure(batch)
        pairs = zip(output_BKHW, batch["target"], strict=True)
        losses_B = torch.stack([self.loss_of(o[None], t[None]) for o, t in pairs])
        self.outputs.add(batch, self.predict(output_BKHW).argmax(1), losses_B)

    def figure_inputs(self, batch: Batch) -> Any:
        looked = super().figure_inputs(batch)
        looked.pixels = self.confusion.confmat.clone()
        return looked

    def measured(self, split: str) -> dict[str, Tensor]:
        counts_KK = self.outputs.pixels = self.confusion.compute()
        hits_K = counts_KK.diagonal()
        iou_K = hits_K / (counts_KK.sum(0) + counts_KK.sum(1) - hits_K).clamp(min=1)
        each = {f"{split}/iou.{name}": iou for name, iou in zip(self.facts.classes, iou_K, strict=True)}
        return {**super().measured(split), **each}

    def _reset(self) -> None:
        super()._reset()
        self.confusion.reset()


def _pixels(x_BKHW: Tensor) -> Tensor:
    """Return (N, K)."""
    return x_BKHW.movedim(1, -1).flatten(0, -2)
