"""The schema of a recipe: one section a class, families by reference, nothing that runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidatorFunctionWrapHandler, WrapValidator, model_validator

from dlx.augmentations import Augmentation
from dlx.component import C, Component, Named, Section, field_names, leaf_class, types
from dlx.models import Model
from dlx.optimizers import Optimizer
from dlx.recipe.schema.claims import WITHOUT_NULLS, Claim
from dlx.recipe.schema.study import Compare, Sweep
from dlx.recipe.schema.transfer import Beginning, Freezing
from dlx.regularizers import Regularizer
from dlx.schedules import Schedule
from dlx.sources import Source
from dlx.strategies import Strategy
from dlx.tasks import EVERY_ROLE, Task
from dlx.tokenizers import Tokenizer
from dlx.transforms import Transform


def _roles_of(family: str, default: str | None = None) -> BeforeValidator:
    """Read one component, or a mapping of roles to components, as a mapping of roles.

    Fields alone, without a type, are those of the default component: `optimizer: {lr: 0.1}`.
    """

    def read(value: Any) -> Any:
        names_roles = isinstance(value, Mapping) and value and "type" not in value
        if names_roles and all(_names_one(family, v) for v in value.values()):
            return value
        if default is not None and isinstance(value, Mapping) and set(value) <= _fields(family, default):
            return {EVERY_ROLE: {"type": default, **value}}
        return {EVERY_ROLE: value}

    return BeforeValidator(read)


def _names_one(family: str, value: Any) -> bool:
    """Say whether a value is the spelling of a component of the family."""
    if isinstance(value, Mapping):
        return "type" in value or (len(value) == 1 and next(iter(value)) in types(family))
    return isinstance(value, Component) or (isinstance(value, str) and value in types(family))


def _fields(family: str, name: str) -> set[str]:
    return {*field_names(leaf_class(family, name))} - {"type"}


@dataclass(frozen=True)
class Rule:
    """Whether a field may differ when a run goes on: "free", "fixed", or "ask" where nothing is said."""

    name: Literal["free", "fixed"]


FREE, FIXED = Rule("free"), Rule("fixed")

OPTIMIZER, SCHEDULE = "adamw", "constant"
"""What trains a network when a recipe does not say."""

ALONE, TOGETHER = "single_device", "ddp"
"""How one device trains, and how several do, when a recipe does not say."""

ByRole = Annotated[dict[str, C], Field(min_length=1)]
"""A component for every network that the task trains: one for all, or a mapping from role to component."""


class Split(Section):
    """Which samples train, choose and judge."""

    val: float = Field(0.1, ge=0)
    """Share of the training samples that choose the best checkpoint; a number of samples from 1 on; 0 for none."""
    test: float = Field(0.1, ge=0)
    """Share of all samples that judge at the end, where the source itself names none."""
    train: float | None = Field(None, gt=0)
    """Share of the samples left that train, to see how much data matter; a number of samples from 1 on; null for all.
    The others are left out.
    """
    by: Literal["auto", "random", "stratified", "order", "column"] = "auto"
    """How: `auto` stratifies by class where there are classes; `order` keeps the last samples for val and test."""
    column: str | None = None
    """With `by: column`: the field that says `train`, `val` or `test` for every sample."""
    holdout_classes: list[str] = Field(default_factory=list)
    """Classes of which no sample is in train, so that they are strange to what is learned; val and test keep theirs."""
    folds: int | None = Field(None, ge=2)
    """Cross-validation: how many folds; one of them is the val split."""
    fold: int = Field(1, ge=1)
    """Which fold is val, counted from 1."""


class Data(Section):
    """Where samples come from and what is done to them."""

    source: Annotated[Source, FIXED]
    """Where samples come from."""
    inputs: Annotated[list[str] | None, FIXED] = None
    """Which fields a network sees; by default the source's."""
    target: Annotated[str | list[str] | None, FIXED] = None
    """Which field is to be predicted; a list for several outputs or labels."""
    split: Annotated[Split, FIXED] = Split()
    """Which samples train, choose and judge."""
    tokenizer: Annotated[ByRole[Tokenizer], _roles_of("tokenizers")] | None = None
    """How text becomes tokens: one vocabulary for all text fields, or a mapping from field to tokenizer; null leaves it
    to the source.
    """
    max_length: int | None = Field(None, ge=1)
    """Longer sequences of tokens are cut off here."""
    special_tokens: bool = False
    """Whether texts that are read begin with the begin token and end with the end token, as BERT's do; those to be
    predicted always do.
    """
    transforms: list[Transform] | Literal["auto"] = "auto"
    """What is done to every sample; `auto` normalizes images by the train split's mean and deviation."""
    augment: list[Augmentation] = Field(default_factory=list)
    """Random changes of training samples."""
    on_error: Literal["raise", "skip"] = "raise"
    """What happens to bad rows and files: stop and list them, or leave them out and say so."""
    max_skipped: float = Field(0.05, ge=0, le=1)
    """With `on_error: skip`: the share of bad samples from which on it is an error after all."""
    num_workers: Annotated[int | Literal["auto"], FREE] = "auto"
    """Processes that decode samples which do not fit in memory."""


class Train(Section):
    """How long and in what portions."""

    epochs: int | None = Field(10, ge=1)
    """Passes over the train split; null where `steps` are given."""
    steps: int | None = Field(None, ge=1)
    """Optimizer steps, instead of epochs."""
    batch_size: int = Field(64, ge=1)
    """Samples in one optimizer step, over all devices together."""
    per_class: int | None = Field(None, ge=1)
    """Samples of a class in a batch, of batch_size / per_class classes, for losses that compare samples; null leaves
    it to chance.
    """
    accumulate: int = Field(1, ge=1)
    """Portions in which a batch is computed, to save memory."""
    validate_every: int = Field(1, ge=1)
    """Epochs between validations."""
    log_every: Annotated[int, FREE] = Field(50, ge=1)
    """Steps between points of the training-loss curve."""
    save_every: Annotated[float, FREE] = Field(300.0, gt=0)
    """Seconds after which a checkpoint is written in the middle of an epoch too."""
    pictures_every: Annotated[int | None, FREE] = Field(None, ge=0)
    """Epochs between pictures of what is learned, 0 for none before the end; null draws after 1, 2, 4, … epochs, as far
    as it takes less than 2 % of the time.
    """
    limit_train: int | None = Field(None, ge=1)
    """At most this many training samples, for trials."""
    limit_val: int | None = Field(None, ge=1)
    """At most this many validation samples, for trials."""
    limit_test: int | None = Field(None, ge=1)
    """At most this many test samples, for trials."""
    deterministic: bool = False
    """Only algorithms that give the same bits every time; an error where there is none."""

    @model_validator(mode="before")
    @classmethod
    def _steps_replace_epochs(cls, value: Any) -> Any:
        by_steps = isinstance(value, Mapping) and value.get("steps") is not None
        return {"epochs": None, **value} if by_steps else value

    @model_validator(mode="after")
    def _adds_up(self) -> Train:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give epochs or steps, not both")
        if self.per_class is not None and self.batch_size % self.per_class:
            raise ValueError(f"batch_size {self.batch_size} is not a multiple of per_class {self.per_class}")
        if self.batch_size % self.accumulate:
            raise ValueError(f"batch_size {self.batch_size} cannot be computed in {self.accumulate} equal portions")
        return self


def _auto_or_strategy(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    return value if value == "auto" else Strategy.model_validate(value)


class Hardware(Section):
    """On what it is learned."""

    accelerator: Literal["auto", "cpu", "gpu", "mps", "tpu"] = "auto"
    """Kind of device."""
    devices: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """Devices on each node; on a CPU, processes. `auto` is every GPU, and one CPU process."""
    nodes: int = Field(1, ge=1)
    """Machines. Several are started from outside: `torchrun --nnodes 2 … -m dlx train RECIPE` on each."""
    strategy: Annotated[Strategy | Literal["auto"], WrapValidator(_auto_or_strategy)] = "auto"
    """How several devices share the work; `auto` is ddp."""
    sync_batchnorm: bool = False
    """Whether batch normalization takes its statistics over all GPUs; otherwise each device's share has its own."""
    precision: Literal["auto", 32, 64, "16-mixed", "bf16-mixed"] = "auto"
    """Number format of the computation: `auto` is bf16-mixed on a GPU, and on a CPU that multiplies in it where a step
    is large; else 32 bit.
    """
    compile: bool = False
    """Whether torch compiles the network first: slower to start, faster after."""
    channels_last: bool | Literal["auto"] = "auto"
    """Whether images are laid out with their channels together, in which large convolutions are faster on a CPU: there
    `auto` does so. Sums are then rounded otherwise, and dropout draws in another order.
    """
    activation_checkpointing: bool = False
    """Whether the inside of blocks is computed again in the backward pass instead of kept: less memory, a third more
    time.
    """
    threads: Annotated[Annotated[int, Field(ge=1)] | Literal["auto"], FREE] = "auto"
    """CPU threads of torch; `auto` tries one and all that this process may use in the first steps."""


class Tracking(Section):
    """Where the run is written down."""

    experiment: str | None = None
    """MLflow experiment; the recipe's name by default."""
    uri: str | None = None
    """MLflow tracking URI; MLflow's own choice by default."""
    tags: dict[str, str] = Field(default_factory=dict)
    """Tags of the run."""


class Recipe(Section):
    """An experiment, as a person describes it."""

    version: Literal[1] = 1
    """Version of the recipe language."""
    name: Annotated[str, FIXED] = Field("experiment", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$", max_length=100)
    """Name of the experiment and of its runs."""
    description: Annotated[str, FREE] = ""
    """What it shows, in a sentence."""
    seed: Annotated[int, FIXED] = Field(0, ge=0, lt=2**32)
    """Everything random follows from it."""
    extends: str | list[str] | None = None
    """Recipes that this one changes; already merged when this is read."""
    vars: dict[str, Any] = Field(default_factory=dict)
    """Values for `${vars.name}`."""
    stages: dict[str, Any] = Field(default_factory=dict)
    """Trainings one after the other: by name, what each changes in this recipe; already apart when this is read."""
    sweep: Sweep | None = None
    """A search: many trials of this recipe; already apart when this is read."""
    compare: Compare | None = None
    """A comparison of variants of this recipe; already apart when this is read."""
    task: Annotated[Task, FIXED]
    """What is learned: loss, head, metrics."""
    data: Data
    """Where samples come from."""
    model: Annotated[ByRole[Model], _roles_of("models"), FIXED]
    """The network, or one for each role of the task."""
    init_from: Annotated[Beginning, FIXED] = None
    """A run whose weights this one begins with: its name, or a mapping that chooses among them."""
    freeze: Annotated[Freezing, FIXED] = Field(default_factory=list)
    """Layers that do not learn: names of layers, or mappings that say until when."""
    optimizer: Annotated[ByRole[Optimizer], _roles_of("optimizers", OPTIMIZER)] = Field(
        OPTIMIZER, validate_default=True
    )  # type: ignore[assignment]
    """How parameters move."""
    schedule: Annotated[ByRole[Schedule], _roles_of("schedules", SCHEDULE)] = Field(SCHEDULE, validate_default=True)  # type: ignore[assignment]
    """How the learning rate changes."""
    regularize: Named[Regularizer] = Field(default_factory=dict)
    """What keeps the network from fitting noise."""
    train: Train = Train()
    """How long and in what portions."""
    hardware: Hardware = Hardware()
    """On what it is learned."""
    tracking: Annotated[Tracking, FREE] = Tracking()
    """Where the run is written down."""
    expect: Annotated[dict[str, Claim], WITHOUT_NULLS, FREE] = Field(default_factory=dict)
    """Claims about the run's metrics (`test/accuracy`) and the plan's quantities (`plan/parameters`); null takes back
    one of a recipe that this one changes.
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


def rules() -> dict[tuple[str, ...], Rule]:
    """Return what the fields of the schema say about changes while a run goes on, by path."""
    return dict(_rules(Recipe, ()))


def _rules(section: type[Section], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Rule]]:
    for name, field in section.model_fields.items():
        yield from (((*path, name), m) for m in field.metadata if isinstance(m, Rule))
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Section) and not issubclass(inner, Component):
            yield from _rules(inner, (*path, name))
