"""The schema of a recipe: one section a class, families by reference, nothing that runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from dlx.adapters import Adapter
from dlx.baselines import Baseline
from dlx.component import Named, Section
from dlx.exporters import Exporter
from dlx.layers import walk
from dlx.models import Model
from dlx.monitors import no_such_metric
from dlx.optimizers import Optimizer
from dlx.recipe.schema.claims import WITHOUT_NULLS, ClaimField
from dlx.recipe.schema.data import Data
from dlx.recipe.schema.hardware import Hardware
from dlx.recipe.schema.permission import FIXED, FREE
from dlx.recipe.schema.roles import ByRole, read_roles_of
from dlx.recipe.schema.study import Compare, Sweep
from dlx.recipe.schema.train import Train
from dlx.recipe.schema.transfer import FreezeField, InitFromField, check_some_layer_learns
from dlx.regularizers import Regularizer
from dlx.rules import CheckContext, Problem, Rule
from dlx.schedules import Schedule
from dlx.tasks import EVERY_ROLE, Task
from dlx.tensors import TensorSpec

OPTIMIZER, SCHEDULE = "adamw", "constant"
"""What trains a network when a recipe does not say."""


class UnknownClaim(Rule):
    """A claim is about a metric or quantity that this run does not have.

    `expect` names metrics of the task on val and test, or quantities of the plan.

    Why:      the claim could never be found true or false.
    Instead:  write a name that `dlx plan` knows, such as test/accuracy or plan/parameters.
    Wrong:    expect: {test/acuracy: ">= 0.9"}
    Right:    expect: {test/accuracy: ">= 0.9"}
    """

    code: ClassVar[str] = "DLX435"


class MissingValues(Rule):
    """Numbers are missing, and no layer of the network replaces them.

    Some samples of a table lack a number. The layer `columns` puts the middle in its place, and says so in a second
    feature; other layers pass the gap on.

    Why:      one gap makes every output of its sample NaN: no loss on val and test, and no prediction.
    Instead:  begin the network with `columns`, or leave the rows or columns out of the file.
    """

    code: ClassVar[str] = "DLX465"


class Tracking(Section):
    """Experiment tracking with MLflow."""

    addresses: ClassVar[tuple[str, ...]] = ("uri",)
    experiment: str | None = None
    """MLflow experiment; the recipe's name by default."""
    uri: str | None = None
    """MLflow tracking URI; MLflow's own choice by default. A host other than this computer is used only if its user
    names it too: by MLFLOW_TRACKING_URI, `--tracking-uri`, or DLX_TRACKING_HOSTS.
    """
    log_model: bool = True
    """Whether the best checkpoint, and a model that MLflow can serve, are logged with the run."""
    tags: dict[str, str] = Field(default_factory=dict)
    """Tags of the run."""


BaselinesField = Named[Baseline] | Literal["auto"]


class Recipe(Section):
    """A recipe: the complete description of an experiment."""

    version: Literal[1] = 1
    """Version of the recipe language."""
    name: Annotated[str, FIXED] = Field("experiment", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$", max_length=100)
    """Name of the experiment and of its runs."""
    description: Annotated[str, FREE] = ""
    """Purpose of the experiment, in a sentence."""
    seed: Annotated[int, FIXED] = Field(0, ge=0, lt=2**32)
    """Random seed of initialization, shuffling, dropout and augmentation."""
    extends: str | list[str] | None = None
    """Recipes that this one changes; merged before this section is validated."""
    vars: dict[str, Any] = Field(default_factory=dict)
    """Values for `${vars.name}`."""
    stages: dict[str, Any] = Field(default_factory=dict)
    """Trainings in sequence, by name: what each changes in this recipe; split off before this section is validated."""
    sweep: Sweep | None = None
    """A search: many trials of this recipe; split off before this section is validated."""
    compare: Compare | None = None
    """A comparison of variants of this recipe; split off before this section is validated."""
    task: Annotated[Task, FIXED]
    """What is learned: loss, head, metrics."""
    data: Data
    """Where samples come from."""
    model: Annotated[ByRole[Model], read_roles_of("models"), FIXED]
    """The network, or one for each role of the task."""
    init_from: Annotated[InitFromField, FIXED] = None
    """A run whose weights this one begins with: its name, or a mapping that chooses among them."""
    freeze: Annotated[FreezeField, FIXED] = Field(default_factory=list)
    """Frozen layers: names of layers, or mappings with a step at which they are unfrozen."""
    adapt: Annotated[Adapter | None, FIXED] = None
    """Adapter: few parameters that are trained in place of the whole network."""
    optimizer: Annotated[ByRole[Optimizer], read_roles_of("optimizers", OPTIMIZER)] = Field(
        OPTIMIZER, validate_default=True
    )  # type: ignore[assignment]
    """The optimizer, or one for each role of the task."""
    schedule: Annotated[ByRole[Schedule], read_roles_of("schedules", SCHEDULE)] = Field(SCHEDULE, validate_default=True)  # type: ignore[assignment]
    """How the learning rate changes."""
    regularize: Named[Regularizer] = Field(default_factory=dict)
    """Regularization against overfitting."""
    train: Train = Train()
    """Training: epochs, batch size, validation, logging and checkpoints."""
    hardware: Hardware = Hardware()
    """Devices, processes, number format and memory layout."""
    baselines: Annotated[BaselinesField, FREE] = Field(default_factory=dict)
    """Simple methods that are fitted on the same split and measured beside the network: `auto` takes all that fit the
    task and its data; none by default, for fitting them may take as long as a small training.
    """
    export: Annotated[Named[Exporter], FREE] = Field(default_factory=dict)
    """Formats in which the run is exported after the test, each held against the run."""
    tracking: Annotated[Tracking, FREE] = Tracking()
    """Experiment tracking with MLflow."""
    expect: Annotated[dict[str, ClaimField], WITHOUT_NULLS, FREE] = Field(default_factory=dict)
    """Claims about the run's metrics (`test/accuracy`) and the plan's quantities (`plan/parameters`): a bound, or a
    mapping {bound: …, source: …, baseline: …, post_hoc: …}; null takes back one of a recipe that this one changes.
    """

    def canonical(self) -> dict[str, Any]:
        """Return the recipe as plain values with every default written out, each component with its type."""
        written = self.model_dump(
            mode="json", serialize_as_any=True, exclude={"extends", "vars", "stages", "sweep", "compare"}
        )
        for section in ("model", "optimizer", "schedule"):
            written[section] = written[section].get(EVERY_ROLE, written[section])
        tokenizer = written["data"]["tokenizer"]
        if tokenizer is not None:
            written["data"]["tokenizer"] = tokenizer.get(EVERY_ROLE, tokenizer)
        return written

    @property
    def world_size(self) -> int:
        """Devices of all nodes together, once `auto` is resolved."""
        return int(self.hardware.devices) * self.hardware.num_nodes

    def global_batch_size(self, samples: int) -> int:
        """Return the samples in one optimizer step, of so many that train: all of them for a full-batch optimizer."""
        full = any(optimizer.full_batch for optimizer in self.optimizer.values())
        return samples if full else min(self.train.batch_size, samples)

    def micro_batch_size(self, samples: int) -> int:
        """Return the samples that a device computes at once, of so many that train."""
        return max(1, self.global_batch_size(samples) // self.world_size // self.train.gradient_accumulation)

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from check_some_layer_learns(self.freeze, context)
        yield from _check_missing_values(context)
        known = [*context.metric_names, *context.quantity_names] if self.expect else []
        for name in self.expect:
            if name not in known:
                yield UnknownClaim.at(no_such_metric(name, known), "expect", name)


def _check_missing_values(context: CheckContext) -> Iterator[Problem]:
    """Refuse networks that receive a table with gaps and have no layer that fills them."""
    for role, plan in context.networks.items() if context.source_facts.missing else ():
        if any(layer.replaces_missing for _, layer, _ in walk(plan.tree, plan.input)):
            continue
        x = plan.input
        for name, splits in context.source_facts.missing.items():
            if x == context.facts.input or (not isinstance(x, TensorSpec) and name in x):
                message = f"{name} lacks numbers in {', '.join(splits)}, and no layer of {role} replaces them"
                yield MissingValues.at(f"{message}: begin with `columns`", "model", role)
