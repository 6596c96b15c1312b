"""Capabilities of modules: what a network's layers offer to a task beside their output. B batch, T queries, S keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class AuxiliaryLoss(Protocol):
    """Auxiliary loss: a module that adds a term to the training loss, such as load balancing."""

    auxiliary_loss: Tensor | None
    """The term of the last forward pass, a scalar; None before the first."""


@runtime_checkable
class AuxiliaryOutput(Protocol):
    """Auxiliary output: a module in the middle of a network that predicts the target too, in training."""

    auxiliary_output: Tensor | None
    """The prediction of the last forward pass; None outside of training."""
    weight: float
    """Factor of its loss."""


@runtime_checkable
class LayerMetrics(Protocol):
    """Layer metrics: a module that counts during evaluation and computes metrics from its counts."""

    metric_counts: Tensor
    """Counts since they were last set to zero; they add up over processes."""

    def compute_metrics(self, counts: Tensor) -> Mapping[str, Tensor]:
        """Return the metrics, of which more is better, by name."""


@runtime_checkable
class AttentionWeights(Protocol):
    """Attention weights: a module that stores them on demand, for figures."""

    store_attention: bool
    """Whether the next forward pass stores them."""
    attention_weights: Tensor | None
    """Those of the last forward pass that stored them, (B, H, T, S)."""


@runtime_checkable
class ChangesContext(Protocol):
    """Context change: a module behind which other named values are in scope than before it."""

    def output_context(self, context: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the context behind the module."""


@runtime_checkable
class CustomWeightInit(Protocol):
    """Custom weight initialization: a module whose weight is not laid out as (outputs, inputs, …)."""

    def fill_weight(self, fill: Callable[[Tensor], None]) -> None:
        """Fill the weight, by calling `fill` on tensors laid out as (outputs, inputs, …)."""


@runtime_checkable
class EnergyBased(Protocol):
    """Energy-based model: a module that learns a distribution over its inputs by their free energy."""

    def free_energy(self, visible_BV: Tensor) -> Tensor:
        """Return −log Σₕ exp(−E(v, h)), (B,)."""

    def visible_mean(self, hidden_BH: Tensor) -> Tensor:
        """Return the mean of the visible units, (B, V)."""
