"""Metrics of each class, averaged over those for which they are defined.   B batch, K classes or labels."""

from __future__ import annotations

import warnings
from typing import Any

import torch
import torchmetrics
from torch import Tensor
from torchmetrics.classification import MulticlassStatScores, MultilabelStatScores
from torchmetrics.wrappers.abstract import WrapperMetric


def average(value_K: Tensor, weight_K: Tensor, defined_K: Tensor) -> Tensor:
    """Return the weighted mean over the classes for which a value is defined; nan where there is none."""
    weight_K = torch.where(defined_K, weight_K, 0).to(value_K)
    return torch.where(defined_K, value_K, 0) @ weight_K / weight_K.sum()


def choose(value_K: Tensor, support_K: Tensor, defined_K: Tensor, how: str, positive: int | None) -> Tensor:
    """Return the value of the positive class, or the mean over classes: macro, or weighted by their samples."""
    if positive is not None:
        return torch.where(defined_K, value_K, torch.nan)[positive]
    return average(value_K, support_K if how == "weighted" else torch.ones_like(support_K), defined_K)


class CountMetric(WrapperMetric):
    """a TP / (a TP + b FP + c FN): precision (1, 1, 0), recall (1, 0, 1) or F1 (2, 1, 1).

    It is not defined for a class that is neither true nor predicted; recall not for a class that is never true.
    """

    def __init__(
        self, weights: tuple[int, int, int], classes: int, labels: bool, how: str, positive: int | None
    ) -> None:
        super().__init__()
        self.weights, self.how, self.positive = weights, how, positive
        stat_scores = MultilabelStatScores if labels else MulticlassStatScores
        self.counts: Any = stat_scores(classes, average=None)

    def update(self, prediction_BK: Tensor, target: Tensor) -> None:
        """Add a batch."""
        self.counts.update(prediction_BK, target)

    def compute(self) -> Tensor:
        """Return the metric of all batches."""
        counts_K5 = self.counts.compute()
        tp_K, fp_K, _, fn_K, support_K = counts_K5.unbind(-1)
        if self.how == "micro":
            tp_K, fp_K, fn_K, support_K = (x_K.sum(0, keepdim=True) for x_K in (tp_K, fp_K, fn_K, support_K))
        a, b, c = self.weights
        value_K = a * tp_K / (a * tp_K + b * fp_K + c * fn_K).clamp(min=1)
        defined_K = tp_K + fn_K + (fp_K if b else 0) > 0
        return choose(value_K, support_K, defined_K, self.how, self.positive)

    def reset(self) -> None:
        """Forget all batches."""
        self.counts.reset()
        super().reset()


class Support(torchmetrics.Metric):
    """How many samples each class has, and how many there are of all."""

    full_state_update = False
    positives: Tensor
    samples: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.add_state("positives", torch.zeros(classes, dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("samples", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, target: Tensor) -> None:
        """Add a batch of class indices (B,) or labels (B, K)."""
        self.positives += target.sum(0) if target.ndim > 1 else target.bincount(minlength=len(self.positives))
        self.samples += len(target)

    def compute(self) -> tuple[Tensor, Tensor]:
        """Return the samples of each class (K,), and of all."""
        return self.positives, self.samples


class CurveMetric(WrapperMetric):
    """The area under each class's curve against all others, which is not defined for an absent class.

    needs_negatives  whether it is not defined either where all samples are of the class, as a false positive rate
    """

    def __init__(
        self, curve: torchmetrics.Metric, classes: int, how: str, positive: int | None, needs_negatives: bool
    ) -> None:
        super().__init__()
        self.curve: Any = curve
        self.support = Support(classes)
        self.how, self.positive, self.needs_negatives = how, positive, needs_negatives

    def update(self, prediction_BK: Tensor, target: Tensor) -> None:
        """Add a batch."""
        self.curve.update(prediction_BK, target)
        self.support.update(target)

    def compute(self) -> Tensor:
        """Return the metric of all batches."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of absent classes, which are left out here
            value_K = self.curve.compute().reshape(-1)
        support_K, samples = self.support.compute()
        defined_K = (support_K > 0) & ((support_K < samples) if self.needs_negatives else True)
        return choose(value_K, support_K, defined_K, self.how, self.positive)

    def reset(self) -> None:
        """Forget all batches."""
        self.curve.reset()
        self.support.reset()
        super().reset()
