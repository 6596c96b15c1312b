"""Metrics of a task, built: torchmetrics as modules of a LightningModule, so that they move to its device."""

from __future__ import annotations

from collections.abc import Mapping

import torchmetrics
from torch import nn

from dlx.facts import DataFacts
from dlx.metrics import Metric


def build_meters(metrics: Mapping[str, Metric], facts: DataFacts) -> nn.ModuleDict:
    """Return metrics as modules; `meters_by_name` gives them back under their names."""
    return nn.ModuleDict({_key(name): metric.build(facts) for name, metric in metrics.items()})


def meters_by_name(metrics: nn.ModuleDict) -> dict[str, torchmetrics.Metric]:
    """Return built metrics by their names."""
    return {_name(key): meter for key, meter in metrics.items()}  # type: ignore[misc]


def _key(name: str) -> str:
    """Return a module name for a metric: torch forbids dots and some attribute names."""
    return f"metric_{name.replace('.', '__')}"


def _name(key: str) -> str:
    return key.removeprefix("metric_").replace("__", ".")
