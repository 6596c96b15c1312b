"""The `train` section of a recipe: how long training takes, in what batches, and what is done in between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from dlx.component import Section
from dlx.layers import Layer, walk
from dlx.monitors import UnknownMonitor, no_such_metric
from dlx.recipe.schema.permission import FREE
from dlx.rules import CheckContext, Problem, Rule, Severity
from dlx.tensors import Spec


class NoClassesToChoose(Rule):
    """Batches are to hold some samples of each of several classes, but there are no such classes, or too few.

    `train.samples_per_class` makes batches of `batch_size / samples_per_class` classes.

    Why:      no batch can be put together.
    Instead:  write a smaller batch_size or more samples_per_class; leave it out where samples have no class.
    Wrong:    train: {batch_size: 16, samples_per_class: 4}
    Right:    train: {batch_size: 12, samples_per_class: 4}
    """

    code: ClassVar[str] = "DLX434"


class NothingToCompare(Rule):
    """Each sample is to be compared with the others of its micro-batch, and is alone in it.

    Contrastive losses and those of pairs compare the samples that are computed at once, on one device.

    Why:      without another sample there is no loss, and nothing is learned.
    Instead:  write a larger batch_size or a smaller gradient_accumulation, or use fewer devices.
    Wrong:
        task: metric_learning
        train: {batch_size: 8, gradient_accumulation: 8}
    Right:
        task: metric_learning
        train: {batch_size: 8, gradient_accumulation: 2}
    """

    code: ClassVar[str] = "DLX470"


class ComparedInMicroBatch(Rule):
    """Samples are compared with those of their own micro-batch alone, and not with the whole batch.

    Gradient accumulation and several devices cut a batch into micro-batches. A loss that compares samples sees one of
    them at a time; so do batch normalization, and the load balancing loss of experts, which is a product of means. All
    else learns the same from a batch in however many micro-batches.

    Why:      the result is that of a smaller batch, though `batch_size` says otherwise.
    Instead:  know that it is so; where the whole batch fits into memory, leave gradient_accumulation out.
    Wrong:
        task: metric_learning
        train: {batch_size: 8, gradient_accumulation: 2}
    Right:
        task: metric_learning
        train: {batch_size: 8}
    """

    code: ClassVar[str] = "DLX520"
    severity: ClassVar[Severity] = "warning"


def comparing_layers(networks: Iterable[tuple[Layer, Spec]], but_statistics: bool = False) -> list[str]:
    """Return the types of layers that compare samples; `but_statistics` leaves out those with batch statistics."""
    layers = (layer for tree, x in networks for _, layer, _ in walk(tree, x) if layer.compares_samples)
    return list(dict.fromkeys(layer.type for layer in layers if not (but_statistics and layer.uses_batch_statistics)))


class Train(Section):
    """Training: epochs, batch size, validation, logging and checkpoints."""

    epochs: int | None = Field(10, ge=1)
    """Passes over the train split; null where `steps` are given."""
    steps: int | None = Field(None, ge=1)
    """Optimizer steps, instead of epochs."""
    batch_size: int = Field(64, ge=1)
    """Samples in one optimizer step, over all devices together."""
    samples_per_class: int | None = Field(None, ge=1)
    """Samples of each class in a batch, of batch_size / samples_per_class classes, for losses that compare samples;
    null leaves it to chance.
    """
    gradient_accumulation: int = Field(1, ge=1)
    """Gradient accumulation: micro-batches in which a batch is computed, to save memory; batch_size stays as it is."""
    val_every_n_epochs: int = Field(1, ge=1)
    """Epochs between validations."""
    log_every_n_steps: Annotated[int, FREE] = Field(50, ge=1)
    """Steps between points of the training-loss curve."""
    monitor: str | None = Field(None, pattern=r"^val/")
    """The metric of val that chooses the best checkpoint; null leaves it to the task."""
    checkpoint_every_n_seconds: Annotated[float, FREE] = Field(300.0, gt=0)
    """Seconds after which a checkpoint is written in the middle of an epoch too."""
    figures: Annotated[bool, FREE] = True
    """Whether figures are drawn, during training and after the test."""
    figures_every_n_epochs: Annotated[int | None, FREE] = Field(None, ge=0)
    """Epochs between figures of what is learned, 0 for none before the end; null draws after 1, 2, 4, … epochs, as far
    as it takes less than 2 % of the time.
    """
    limit_train_samples: int | None = Field(None, ge=1)
    """At most this many training samples, for trials."""
    limit_val_samples: int | None = Field(None, ge=1)
    """At most this many validation samples, for trials."""
    limit_test_samples: int | None = Field(None, ge=1)
    """At most this many test samples, for trials."""
    deterministic: bool = False
    """Only algorithms that give the same bits every time; an error where there is none."""

    @model_validator(mode="before")
    @classmethod
    def _drop_epochs(cls, value: Any) -> Any:
        by_steps = isinstance(value, Mapping) and value.get("steps") is not None
        return {"epochs": None, **value} if by_steps else value

    @model_validator(mode="after")
    def _check_length(self) -> Train:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give epochs or steps, not both")
        if self.samples_per_class is not None and self.batch_size % self.samples_per_class:
            raise ValueError(
                f"batch_size {self.batch_size} is not a multiple of samples_per_class {self.samples_per_class}"
            )
        if self.batch_size % self.gradient_accumulation:
            raise ValueError(
                f"batch_size {self.batch_size} cannot be cut into {self.gradient_accumulation} equal micro-batches"
            )
        return self

    def check(self, context: CheckContext) -> Iterable[Problem]:
        if self.monitor is not None and self.monitor not in context.metric_names:
            yield UnknownMonitor.at(no_such_metric(self.monitor, context.metric_names), "monitor")
        if self.samples_per_class is not None:
            yield from self._check_classes(self.samples_per_class, context)
        if context.recipe.task.compares_samples:
            yield from self._check_micro_batches(context)
        if self.gradient_accumulation * context.world_size > 1:
            yield from self._check_layers(context)

    def _check_layers(self, context: CheckContext) -> Iterable[Problem]:
        networks = ((plan.tree, plan.input) for plan in context.networks.values())
        found = comparing_layers(networks, but_statistics=self.gradient_accumulation == 1)
        if found:
            seen, whole = context.micro_batch_size, context.batch_size
            message = (
                f"{' and '.join(found)}: samples are compared with the {seen} of a micro-batch, not with all {whole}"
            )
            yield ComparedInMicroBatch.at(message, "gradient_accumulation")

    def _check_micro_batches(self, context: CheckContext) -> Iterable[Problem]:
        others = context.micro_batch_size - 1
        if others == 0:
            where = "gradient_accumulation" if self.gradient_accumulation > 1 else "batch_size"
            message = "each sample is alone in its micro-batch: there is no other to compare it with"
            yield NothingToCompare.at(message, where)
        elif context.micro_batch_size < context.batch_size:
            words = f"the {others} others" if others > 1 else "the one other"
            message = f"each sample is compared with {words} of its micro-batch, not with all {context.batch_size}"
            yield ComparedInMicroBatch.at(message, "gradient_accumulation")

    def _check_classes(self, samples_per_class: int, context: CheckContext) -> Iterable[Problem]:
        facts = context.facts
        wanted, there = self.batch_size // samples_per_class, sum(count > 0 for count in facts.class_counts)
        if not facts.class_counts or facts.multilabel:
            message = "there are no classes of which a batch could take samples"
        elif any(optimizer.full_batch for optimizer in context.recipe.optimizer.values()):
            message = "the optimizer takes all samples at once"
        elif wanted > there:
            batch = f"batches of {self.batch_size} with {samples_per_class} of each class"
            message = f"{batch} need {wanted} classes, of which there are {there}"
        else:
            return
        yield NoClassesToChoose.at(message, "samples_per_class")
