"""What layers measure by themselves while a network is evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from dlx.nn.protocols import LayerMetrics

Sum = Callable[[Tensor], Tensor]
"""Adds up a tensor over all processes."""


def begin(networks: nn.Module) -> None:
    """Count from nothing."""
    for _, module in counting(networks):
        module.metric_counts.zero_()


def counted(networks: nn.Module, total: Sum) -> dict[str, Tensor]:
    """Return the metrics of layers by name, each the least of all layers that have it."""
    found: dict[str, Tensor] = {}
    for _, module in counting(networks):
        for name, value in module.compute_metrics(total(module.metric_counts)).items():
            found[name] = torch.minimum(found[name], value) if name in found else value
    return found


def counting(networks: nn.Module) -> Iterator[tuple[str, Any]]:
    """Yield the modules that count, with their paths."""
    return ((name, module) for name, module in networks.named_modules() if isinstance(module, LayerMetrics))
