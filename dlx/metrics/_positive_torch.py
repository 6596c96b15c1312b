"""Binary metrics of the positive class.   B batch."""

from __future__ import annotations

import torch
import torchmetrics
from torchmetrics.wrappers import LambdaInputTransformer


def positive_class_metric(metric: torchmetrics.Metric) -> torchmetrics.Metric:
    """Return a binary metric that reads the probability of the last of two classes from (B, 2)."""
    return LambdaInputTransformer(metric, transform_pred=_positive)


def _positive(prediction_B2: torch.Tensor) -> torch.Tensor:
    return prediction_B2[:, 1]
