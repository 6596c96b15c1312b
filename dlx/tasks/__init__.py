"""Tasks: what is learned. A task owns the loss, the head, the metrics and the networks that it trains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

from dlx.baselines import BaselineProblem
from dlx.component import C, Component
from dlx.evolve import EVERY
from dlx.facts import DataFacts
from dlx.layers import Layer
from dlx.models import Model
from dlx.optimizers import Optimizer
from dlx.regularizers import Regularizer
from dlx.rules import CheckContext, Problem, Rule, Severity
from dlx.schedules import Schedule, TrainingLength
from dlx.strategies import check_full_parameters
from dlx.tensors import Spec, TensorSpec

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn

EVERY_ROLE = EVERY
WEIGHT = "weight"
"""Field of a batch that is shared by several processes: what each sample's loss counts in the mean."""
TERMS = "loss.terms"
"""Field of a batch whose loss is no mean over samples: how many terms a sample has on average in the whole batch, or
what they weigh. A sum of terms divided by the sum of this is the batch's mean, whatever part of it the sum is taken of.
"""
MASK = ".mask"
"""Ending of the field of a batch that says which steps of a sequence, (B, T), are real and not padding. Where it is
absent, all are.
"""

Networks = Mapping[str, tuple[Layer, Spec]]
"""The networks of a task before they are built: the layers of each role, and their input."""


def for_role(components: Mapping[str, C], role: str) -> C:
    """Return the component of a role: its own, or the one that serves every role."""
    return components[role] if role in components else components[EVERY_ROLE]


@dataclass(frozen=True)
class Role:
    """What a task requires of one of its networks: its input, and the output that it must return (None: anything)."""

    input: Spec
    output: TensorSpec | None = None


@dataclass(frozen=True)
class Learning:
    """How a task's networks are trained: everything but the task itself. Optimizers and schedules are by role."""

    optimizers: Mapping[str, Optimizer]
    schedules: Mapping[str, Schedule]
    regularizers: Mapping[str, Regularizer] = field(default_factory=dict)
    length: TrainingLength = field(default_factory=lambda: TrainingLength(1, 1))
    monitor: str = "val/loss"
    micro_batches: int = 1
    """Gradient accumulation: in how many micro-batches the gradient of a batch is computed."""
    log_every_n_steps: int = 50
    """Steps between points of the loss curve."""


class UnfitData(Rule):
    """The data are not of the kind that the task learns from.

    A task says what it needs of a sample: classes, a class for every pixel, windows of a series, running text.

    Why:      there would be nothing to compute the loss of.
    Instead:  use the task for these data (`dlx list tasks`), or choose fields by data.inputs and data.target.
    Wrong:
        task: segmentation
    Right:
        task: classification
    """

    code: ClassVar[str] = "DLX450"


class UnfitSetting(Rule):
    """A setting of the task does not fit the data, or another setting of the task.

    Patches must fill an image, a share must be below 1, a prompt must be of known tokens.

    Why:      the task could not do what the setting says.
    Instead:  write the value that the message asks for.
    Wrong:
        task: {autoencoder: {noise_level: 0.1}}
        model: {encoder: {mlp: {hidden: [8]}}, decoder: {mlp: {hidden: [8]}}}
    Right:
        task: {autoencoder: {noise: gaussian, noise_level: 0.1}}
        model: {encoder: {mlp: {hidden: [8]}}, decoder: {mlp: {hidden: [8]}}}
    """

    code: ClassVar[str] = "DLX451"


class ChanceLevel(Rule):
    """The loss of chance: of a network that gives every class the same probability.

    Where the first losses lie depends on how the weights start; where a network has learned something does not.

    Why:      a loss that does not fall below it says that nothing is learned.
    Instead:  nothing needs to be written.
    """

    code: ClassVar[str] = "DLX501"
    severity: ClassVar[Severity] = "warning"


class Task(Component):
    """What is learned, and how it is evaluated."""

    family = "tasks"
    default_role: ClassVar[str] = "network"
    """The role that `model:` fills when it is not a mapping of roles."""
    target_kind: ClassVar[str | None] = None
    """How the target is encoded, as `dlx.data.prepare` lists the kinds; None where there is none."""
    special_tokens: ClassVar[tuple[str, ...]] = ()
    """Special tokens that the task needs in every vocabulary, after the tokenizer's own."""
    monitor: ClassVar[str] = "val/loss"
    """The metric by which the best checkpoint is chosen."""
    monitor_mode: ClassVar[str] = "min"
    """Whether "min" or "max" of it is best."""
    shared_gradient: ClassVar[bool] = False
    """Whether several networks are trained by the gradient of one loss, and not each by its own."""
    trains_auxiliary_outputs: ClassVar[bool] = False
    """Whether auxiliary outputs of layers inside of a network are trained with the same loss as its output."""
    generates_text: ClassVar[bool] = False
    """Whether it generates text, by `dlx generate`, so that `dlx predict` has no table for it."""
    embedding_description: ClassVar[str] = "the input of the last layer with weights"
    """In words, what `dlx embed` gives of an input: what the module's `embed` returns, where it has one."""
    export_refusal: ClassVar[str | None] = None
    """Why a run cannot be exported as one function from a sample to its prediction; None where it can."""
    needs_full_parameters: ClassVar[bool] = False
    """Whether training uses weights other than by the network's forward pass, and then its backward pass."""

    @property
    def learning_metric(self) -> str:
        """The metric that a few hundred steps must improve, if anything is learned."""
        return "loss"

    @property
    def compares_samples(self) -> bool:
        """Whether a sample's loss depends on the other samples of its batch, or micro-batch."""
        return False

    @property
    def accepts_soft_targets(self) -> bool:
        """Whether targets may be mixtures of several samples' targets (mixup, cutmix)."""
        return False

    def roles(self, facts: DataFacts) -> dict[str, Role]:
        """Return what each network that the task trains must be. Raises: ShapeError if the data do not fit."""
        raise NotImplementedError

    def network(self, role: str, model: Model, facts: DataFacts) -> Layer:
        """Return the layer tree of a role: the model with the task's head appended."""
        return model.tree(self.roles(facts)[role].input)

    def buffer_elements(self, networks: Networks, facts: DataFacts) -> int:
        """Return how many numbers training keeps besides networks and optimizers: momentum encoders, queues, chains."""
        return 0

    def metric_names(self, facts: DataFacts) -> dict[str, str]:
        """Return the metrics of every evaluated split, without the split: name → "higher" or "lower" is better."""
        raise NotImplementedError

    def prediction_metric_names(self, facts: DataFacts) -> list[str]:
        """Return the metrics that compare predictions with targets, by which an exported run is measured as well."""
        return []

    def decisions(self, values: Any, facts: DataFacts) -> Any:
        """Return what predictions (N, …) decide, such as classes; None where they are numbers that decide nothing."""
        return None

    def check(self, context: CheckContext) -> Iterable[Problem]:
        if self.needs_full_parameters:
            yield from check_full_parameters(self, context)

    def target_facts(self, component: Component, facts: DataFacts) -> DataFacts | None:
        """Return the facts by which a loss or metric judges the target; None where it judges none."""
        return facts

    def resolve_auto(self, facts: DataFacts) -> Self:
        """Return the task with every `auto` resolved that is not about layers: those are in the plan's table."""
        return self

    def with_regularizers(self, regularizers: Mapping[str, Regularizer], facts: DataFacts) -> Task:
        """Return the task with its loss changed by the regularizers that act on it."""
        return self

    def role_length(self, role: str, length: TrainingLength) -> TrainingLength:
        """Return the length of a role's schedule: how many optimizer steps its network takes in this training."""
        return length

    def baseline_problem(self, facts: DataFacts) -> BaselineProblem | None:
        """Return what baselines are asked to predict, with which the network is compared; None if there are none."""
        return None

    def baseline_metrics(self, facts: DataFacts) -> list[str]:
        """Return the metrics, without the split, by which baselines are measured: those of predictions."""
        return [name for name in self.metric_names(facts) if name != "loss" and "." not in name]

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        """Return the LightningModule that trains the networks."""
        raise NotImplementedError

    def predictions_table(self, values: Any, facts: DataFacts) -> dict[str, list[Any]]:
        """Return the table of `dlx predict` by column, of predictions (N, K): probabilities of classes by default."""
        from dlx.tasks._supervised.predictions import classification_table

        return classification_table(values, facts)

    def figures(self, outputs: Any, facts: DataFacts) -> dict[str, Any]:
        """Return matplotlib figures by name, of what an evaluation collected."""
        return {}
