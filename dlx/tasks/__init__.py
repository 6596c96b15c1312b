"""Tasks: what is learned. A task owns the loss, the head, the metrics and the networks that it trains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

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
MASK = ".mask"
"""Ending of the field of a batch that says which steps of a sequence, (B, T), are real and not padding. Where it is
absent, all are.
"""
STEPS = "target.steps"
"""Field of a batch whose targets are sequences of varying length: how long they are on average, for every sample. A sum
over real steps divided by the sum of this is a mean over steps, whatever share of the batch it is taken of.
"""


Networks = Mapping[str, tuple[Layer, Spec]]
"""The networks of a task before they are built: the layers of each role, and what they receive."""


def for_role(components: Mapping[str, C], role: str) -> C:
    """Return the component of a role: its own, or the one that serves every role."""
    return components[role] if role in components else components[EVERY_ROLE]


@dataclass(frozen=True)
class Role:
    """What a task requires of one of its networks: what it is given, and what it must return (None: anything)."""

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
    """In how many micro-batches the gradient of a batch is computed."""
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
    """What is learned, and how it is judged."""

    family = "tasks"
    default_role: ClassVar[str] = "network"
    """The role that `model:` fills when it is not a mapping of roles."""
    target_kind: ClassVar[str | None] = None
    """How a target is encoded, as `dlx.data.prepare` lists the kinds; None where there is none."""
    special_tokens: ClassVar[tuple[str, ...]] = ()
    """Special tokens that the task needs in every vocabulary, behind the tokenizer's own."""
    monitor: ClassVar[str] = "val/loss"
    """The metric by which the best checkpoint is chosen."""
    monitor_mode: ClassVar[str] = "min"
    memorizes: ClassVar[bool] = True
    """Whether the loss falls to nothing on a batch that is learned by heart: not where it is a bound or a game."""
    shared_gradient: ClassVar[bool] = False
    """Whether several networks move down one gradient, which none of them may then evaluate again for itself."""
    trains_auxiliary_outputs: ClassVar[bool] = False
    """Whether it judges what layers inside of a network answer, as it judges what comes out of it."""
    generates_text: ClassVar[bool] = False
    """Whether it says of an input how it goes on, which `dlx generate` writes and `dlx predict` has no table for."""
    embedding_description: ClassVar[str] = "what the last layer with weights receives"
    """In words, what `dlx embed` gives of an input: what the module's `embed` returns, where it has one."""
    needs_full_parameters: ClassVar[bool] = False
    """Whether learning uses weights other than by the network's forward pass, and then its backward pass."""

    @property
    def accepts_soft_targets(self) -> bool:
        """Whether targets may be mixtures of several samples' targets."""
        return False

    def roles(self, facts: DataFacts) -> dict[str, Role]:
        """Return the networks that the task trains. Raises: ShapeError if the task cannot be learned from these
        data.
        """
        raise NotImplementedError

    def network(self, role: str, model: Model, facts: DataFacts) -> Layer:
        """Return the layer tree of a role: the model with the task's head appended."""
        return model.tree(self.roles(facts)[role].input)

    def buffer_elements(self, networks: Networks, facts: DataFacts) -> int:
        """Return how many numbers are kept in training besides networks and optimizers: copies, queues, memories."""
        return 0

    def metric_names(self, facts: DataFacts) -> dict[str, str]:
        """Return the metrics measured on every split, without the split: name → "higher" or "lower" is better."""
        raise NotImplementedError

    def check(self, context: CheckContext) -> Iterable[Problem]:
        if self.needs_full_parameters:
            yield from check_full_parameters(self, context)

    def target_facts(self, judge: Component, facts: DataFacts) -> DataFacts | None:
        """Return the facts by which a loss or metric judges the target; None where it judges none."""
        return facts

    def resolve_auto(self, facts: DataFacts) -> Self:
        """Return the task with every `auto` decided that is not about layers: those stand in the plan's table."""
        return self

    def with_regularizers(self, regularizers: Mapping[str, Regularizer], facts: DataFacts) -> Task:
        """Return the task with its loss changed by the regularizers that act on it."""
        return self

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        """Make the LightningModule that trains the networks."""
        raise NotImplementedError

    def predictions_table(self, values: Any, facts: DataFacts) -> dict[str, list[Any]]:
        """Return the table of `dlx predict` by column for what the module predicts, (N, K): probabilities of classes,
        if not otherwise.
        """
        from dlx.tasks._supervised.predictions import classification_table

        return classification_table(values, facts)

    def figures(self, outputs: Any, facts: DataFacts) -> dict[str, Any]:
        """Return matplotlib figures by name for the predictions on a split."""
        return {}
