"""Protocols: what a task's module, a layer or a metric may be able to do besides what all of its kind do.

Whoever needs a capability asks by `isinstance`; a class has it by having the members, and inherits nothing. Axes: N
samples, B batch, F features, T queries, S keys, H heads or hidden, V visible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

Batch = dict[str, Tensor]
"""The fields of a batch by name."""


# -- layers -----------------------------------------------------------------------------------------------------------


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
class CrossAttentionWeights(AttentionWeights, Protocol):
    """Cross-attention weights: those of a module that attends to another sequence."""

    memory: str
    """The name in the context of what is attended to."""


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


# -- modules of tasks -------------------------------------------------------------------------------------------------


@runtime_checkable
class Samples(Protocol):
    """Sampling: a module that samples from noise, as generative models do (`dlx generate RUN -n 64`)."""

    sampling_steps: int
    """How often samples go through a network, unless asked otherwise."""
    sample: Callable[..., Tensor]
    """Takes how many and a seed, and where the task knows them a `label` and `steps`; returns (N, …)."""


@runtime_checkable
class Embeds(Protocol):
    """Embedding: a module that gives each input a vector (`dlx embed RUN INPUT`)."""

    def embed(self, batch: Batch) -> Tensor:
        """Return one vector for every sample, (B, F)."""


@runtime_checkable
class Generates(Protocol):
    """Text generation: a module that continues a prompt (`dlx generate RUN --prompt`)."""

    def stream(self, prompt: str | None, how: Any) -> Iterator[str]:
        """Yield a text piece by piece: the prompt, and what follows it by these decoding options."""


@runtime_checkable
class EvaluatesPredictions(Protocol):
    """A module that measures predictions of any origin, such as those of an exported graph."""

    def reset_metrics(self) -> None:
        """Forget what was measured."""

    def evaluate_predictions(self, predictions: Tensor, batch: Batch) -> None:
        """Update the metrics with predictions of a batch, as `predict_step` returns them."""

    def prediction_metrics(self) -> dict[str, Tensor]:
        """Return the scalar metrics of the predictions by name."""


@runtime_checkable
class HasTexts(Protocol):
    """A module that shows what it has learned in generated texts, written beside the figures of a run."""

    def generated_texts(self) -> Mapping[str, str]:
        """Return texts by the names of their files."""


@runtime_checkable
class HasOutputs(Protocol):
    """A module that collects the outputs of a test, of which figures are drawn."""

    outputs: Any


@runtime_checkable
class HasNotes(Protocol):
    """A module that has something to say about its test, such as that a representation collapsed."""

    notes: list[str]


@runtime_checkable
class HasBaselines(Protocol):
    """A module whose predictions simple methods can make as well: baselines are measured by its own metrics."""

    def baseline_fields(self, batch: Batch, index_B: Tensor, training: bool) -> dict[str, Tensor]:
        """Return the inputs, the `target` and whatever else metrics need of a batch, of samples with these numbers."""

    def baseline_metrics(self, prediction: Tensor, fields: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the metrics of the predictions for all samples of a split, of which the fields were returned."""


@runtime_checkable
class HasGradientNorms(Protocol):
    """Backpropagation through time: a module with recurrent layers, whose gradient can be followed back."""

    def gradient_norms(self, batch: Batch) -> dict[str, np.ndarray]:
        """Return, for every recurrent layer, the norm of the loss's gradient in the state after each step."""


# -- metrics ----------------------------------------------------------------------------------------------------------


@runtime_checkable
class ComparesFeatures(Protocol):
    """A metric that compares features which the network of another run extracts, such as a Fréchet distance."""

    feature_run: str | None
    """The run whose features are compared; None for the values themselves."""
    features: Any
    """The feature extractor, as it is attached."""


@runtime_checkable
class HasCriterion(Protocol):
    """A task's module that trains one network by a criterion, called with its output and a target.

    role       of the network
    criterion  the loss function
    """

    role: str
    criterion: Any

    def loss_target(self, batch: Any) -> Tensor:
        """Return the targets that the criterion compares with outputs."""
        ...
