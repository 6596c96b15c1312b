"""Segmentation: every pixel is a sample of loss and metrics.   B batch, K classes, H × W pixels, N = B · H · W."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torchmetrics.classification import MulticlassConfusionMatrix

from dlx.facts import IGNORED, DataFacts
from dlx.nn.ignored import drop_ignored
from dlx.nn.protocols import Batch
from dlx.tasks import Learning
from dlx.tasks._base.evaluation import EvaluationArrays, EvaluationBuffer
from dlx.tasks._supervised.module import SupervisedModule

if TYPE_CHECKING:
    from dlx.tasks.segmentation import Segmentation

WORST = 8  # images on the sheet of those with the highest loss
CONFUSION = "confusion_matrix"  # pixels of each class (rows) that were predicted to be of which (columns)


class WorstImages(EvaluationBuffer):
    """The images with the highest loss so far, of however many."""

    def add(self, rows: Tensor, values: Mapping[str, Tensor]) -> None:
        super().add(rows, values)
        self._keep_worst()

    def finalize(self, inputs: Mapping[str, Any], identity: Mapping[str, Any]) -> EvaluationArrays:
        self._keep_worst()
        return super().finalize(inputs, identity)

    def _keep_worst(self) -> None:
        worst = torch.cat(self.values["losses"]).argsort(descending=True, stable=True)[:WORST]
        for collected in (self.rows, *self.values.values()):
            collected[:] = [torch.cat(collected)[worst]]


class SegmentationModule(SupervisedModule):
    """One network that maps images to logits of each class at every pixel."""

    figure_samples = 32

    def __init__(
        self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: Segmentation
    ) -> None:
        super().__init__(networks, facts, learning, task)
        self.confusion = MulticlassConfusionMatrix(len(facts.classes), ignore_index=IGNORED if facts.ignored else None)

    def build_criterion(self) -> nn.Module:
        return self.task.loss.build_elementwise(self.facts)

    def new_outputs(self) -> EvaluationBuffer:
        return WorstImages(WORST + 1)  # one more than are kept, so that each batch is considered

    def update_metrics(self, prediction_BKHW: Tensor, target_BHW: Tensor) -> None:
        samples = prediction_BKHW.movedim(1, -1).flatten(0, -2), target_BHW.flatten()
        super().update_metrics(*(drop_ignored(*samples) if self.facts.ignored else samples))
        self.confusion.update(prediction_BKHW.argmax(1), target_BHW)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        output_BKHW = self.evaluate_batch(batch)
        prediction_BKHW, target_BHW = self.predictions_and_targets(output_BKHW, batch)
        losses_B = self.sample_losses(output_BKHW, batch)
        values = {"predictions": prediction_BKHW.argmax(1), "targets": target_BHW, "losses": losses_B}
        self.outputs.add(batch["rows"], values)

    def compute_metrics(self, split: str) -> dict[str, Tensor]:
        counts_KK = self.confusion.compute()
        self.outputs.extras[CONFUSION] = counts_KK.cpu().numpy()
        hits_K = counts_KK.diagonal()
        iou_K = hits_K / (counts_KK.sum(0) + counts_KK.sum(1) - hits_K).clamp(min=1)
        each = {f"{split}/iou.{name}": iou for name, iou in zip(self.facts.classes, iou_K, strict=True)}
        return {**super().compute_metrics(split), **each}

    def figure_inputs(self, batch: Batch) -> Any:
        found = super().figure_inputs(batch)
        found.extras[CONFUSION] = self.confusion.confmat.cpu().numpy().copy()
        return found

    def reset_metrics(self) -> None:
        super().reset_metrics()
        self.confusion.reset()
