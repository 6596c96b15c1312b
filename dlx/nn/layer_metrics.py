"""Layer metrics: what layers measure themselves while a network is evaluated, such as how evenly experts are used."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from dlx.nn.protocols import LayerMetrics

Sum = Callable[[Tensor], Tensor]
"""Adds up a tensor over all processes."""


def reset_layer_metrics(networks: nn.Module) -> None:
    """Set the counts of all layers to zero."""
    for _, module in layers_with_metrics(networks):
        module.metric_counts.zero_()


def compute_layer_metrics(networks: nn.Module, total: Sum) -> dict[str, Tensor]:
    """Return the metrics of layers by name, each the least of all layers that have it."""
    found: dict[str, Tensor] = {}
    for _, module in layers_with_metrics(networks):
        for name, value in module.compute_metrics(total(module.metric_counts)).items():
            found[name] = torch.minimum(found[name], value) if name in found else value
    return found


def layers_with_metrics(networks: nn.Module) -> Iterator[tuple[str, LayerMetrics]]:
    """Yield the modules that have metrics of their own, with their paths."""
    modules = networks.named_modules()
    may = ((name, module) for name, module in modules if hasattr(type(module), "compute_metrics"))  # a protocol is slow
    return ((name, module) for name, module in may if isinstance(module, LayerMetrics))
