"""The `data` section of a recipe: where samples come from, how they are split and what is done to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from dlx import machine
from dlx.augmentations import Augmentation
from dlx.byte_sizes import format_size
from dlx.component import Section
from dlx.recipe.schema.permission import FIXED, FREE
from dlx.recipe.schema.roles import ByRole, read_roles_of
from dlx.rules import CheckContext, Problem, Rule, Severity
from dlx.sources import Source
from dlx.tokenizers import Tokenizer
from dlx.transforms import Transform


class NoText(Rule):
    """A setting says how text is read, but there is no text.

    `tokenizer`, `max_length` and `special_tokens` are for fields of text. A column of a table is text where the source
    says so; otherwise it holds categories.

    Why:      the setting would do nothing, in silence.
    Instead:  write `types: {column: text}` in the source, or leave the setting out.
    Wrong:    data: {max_length: 5}
    Right:    data: {}
    """

    code: ClassVar[str] = "DLX430"


class MixedTargets(Rule):
    """An augmentation mixes samples, but the task's loss cannot judge a mixture of targets.

    mixup and cutmix make one sample of two, whose target is a mixture as well.

    Why:      the loss takes one class for each sample, pixel or token.
    Instead:  leave the augmentation out, or use a loss for classes that takes probabilities, such as cross_entropy.
    Wrong:
        task: {type: classification, loss: hinge}
        data: {augment: [mixup]}
    Right:
        task: {type: classification, loss: cross_entropy}
        data: {augment: [mixup]}
    """

    code: ClassVar[str] = "DLX431"


class MovedTargets(Rule):
    """An augmentation moves the input, but not the target that belongs to each of its pixels or tokens.

    Why:      every pixel or token would then be trained on the class of another.
    Instead:  use augmentations that move masks along, such as random_horizontal_flip, or change values in place.
    Wrong:
        task: segmentation
        data: {source: shapes, augment: [rand_augment]}
        model: {type: layers, layers: [{conv: {channels: 6, kernel: 3, padding: same}}]}
    Right:
        task: segmentation
        data: {source: shapes, augment: [random_horizontal_flip]}
        model: {type: layers, layers: [{conv: {channels: 6, kernel: 3, padding: same}}]}
    """

    code: ClassVar[str] = "DLX432"


class DataTooLarge(Rule):
    """The samples that the source makes do not fit into the memory of this machine.

    Generated samples are priced before any of them is made: samples × numbers × bytes.

    Why:      the process would be killed, or fail in the middle.
    Instead:  make fewer or smaller samples.
    Wrong:    data: {source: {moons: {n_samples: 4000000000000}}}
    Right:    data: {source: {moons: {n_samples: 400}}}
    """

    code: ClassVar[str] = "DLX436"


class NoValSplit(Rule):
    """There is no val split.

    The samples of val choose which checkpoint is kept.

    Why:      the last checkpoint is kept, not the best, and nothing shows when training should have ended.
    Instead:  give a share of the samples to val, unless every sample must train.
    Wrong:    data: {split: {val: 0}}
    Right:    data: {split: {val: 0.1}}
    """

    code: ClassVar[str] = "DLX503"
    severity: ClassVar[Severity] = "warning"


class DoubtfulData(Rule):
    """The data may not be what they are taken for.

    A file was read by guesses, which the warning names: dates, headers, decimal commas, folders of splits. Or the data
    tell more than new data will: equal samples in train and test, columns that identify rows or add up to the target.

    Why:      training works, but its result means something else than it seems to.
    Instead:  write what the warning says, or leave it where the guess is right.
    """

    code: ClassVar[str] = "DLX510"
    severity: ClassVar[Severity] = "warning"


class Split(Section):
    """Train, val and test split: which samples train, which choose the best checkpoint, and which test the result."""

    val: float = Field(0.1, ge=0)
    """Fraction of the training samples that choose the best checkpoint; from 1 on, a number of samples; 0 for none."""
    test: float = Field(0.1, ge=0)
    """Fraction of all samples on which the result is measured, where the source itself has no test split."""
    train: float | None = Field(None, gt=0)
    """Fraction of the remaining samples that train, to see how much data matter; from 1 on, a number of samples; null
    for all. The others are left out.
    """
    by: Literal["auto", "random", "stratified", "order", "column"] = "auto"
    """How: `auto` stratifies by class where there are classes; `order` keeps the last samples for val and test."""
    column: str | None = None
    """With `by: column`: the field that says `train`, `val` or `test` for every sample."""
    holdout_classes: list[str] = Field(default_factory=list)
    """Classes of which no sample is in train; val and test keep theirs."""
    group: str | None = None
    """Field whose equal values stay in one split, such as a customer; it is no input then."""
    deduplicate: bool = False
    """Whether of samples with equal inputs and targets only the first is used."""
    folds: int | None = Field(None, ge=2)
    """Cross-validation: how many folds; one of them is the val split, in place of the source's own."""
    fold: int = Field(1, ge=1)
    """Which fold is val, counted from 1."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Seed of the split, apart from that of training: runs with other seeds are compared on the same test split."""

    @model_validator(mode="after")
    def _check_fold(self) -> Split:
        if self.folds is not None and self.fold > self.folds:
            raise ValueError(f"fold {self.fold} of {self.folds} does not exist")
        return self

    def check(self, context: CheckContext) -> Iterable[Problem]:
        if not context.facts.counts.get("val"):
            yield NoValSplit.at("there is no val split: the last checkpoint is kept, not the best", "val")


class Data(Section):
    """Where samples come from and what is done to them."""

    source: Annotated[Source, FIXED]
    """Where samples come from."""
    inputs: Annotated[list[str] | None, FIXED] = None
    """Fields that are inputs of the network; by default the source's."""
    target: Annotated[str | list[str] | None, FIXED] = None
    """Which field is to be predicted; a list for several outputs or labels."""
    split: Annotated[Split, FIXED] = Split()
    """Train, val and test split: which samples train, which choose the best checkpoint, and which test the result."""
    tokenizer: Annotated[ByRole[Tokenizer], read_roles_of("tokenizers")] | None = None
    """How text becomes tokens: one tokenizer for all text fields, or a mapping from field to tokenizer; null is the
    source's own.
    """
    max_length: int | None = Field(None, ge=1)
    """Longer sequences of tokens are truncated to this length."""
    special_tokens: bool = False
    """Whether input texts begin with the beginning-of-sequence token and end with the end-of-sequence token, as BERT's
    do; texts to predict always do.
    """
    transforms: list[Transform] | Literal["auto"] = "auto"
    """What is done to every sample; `auto` normalizes images by the train split's mean and deviation."""
    augment: list[Augmentation] = Field(default_factory=list)
    """Random changes of training samples."""
    on_error: Literal["raise", "skip"] = "raise"
    """Bad rows and files: `raise` an error that lists them, or `skip` them with a warning."""
    max_skipped: float = Field(0.05, ge=0, le=1)
    """With `on_error: skip`: the largest fraction of bad samples; more are an error."""
    num_workers: Annotated[int | Literal["auto"], FREE] = "auto"
    """Processes that decode samples which do not fit in memory."""

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from (DoubtfulData.at(warning, "source") for warning in context.source_facts.warnings)
        given = {"tokenizer": self.tokenizer is not None, "max_length": self.max_length is not None}
        given["special_tokens"] = self.special_tokens
        message = "there is no text; a column of a table is text where the source says `types: {column: text}`"
        for name in (name for name, is_given in given.items() if is_given and not context.facts.tokenizers):
            yield NoText.at(message, name)
        moved = _describe_moved_inputs(context)
        for i, augmentation in enumerate(self.augment):
            if any(augmentation.check(context)):
                continue
            if augmentation.mixes and not context.recipe.task.accepts_soft_targets:
                message = f"{augmentation.type} makes mixtures of targets, which the loss of this task cannot judge"
                yield MixedTargets.at(message, "augment", i)
            elif moved and not augmentation.keeps_masks and not augmentation.mixes:
                yield MovedTargets.at(f"{augmentation.type} moves {moved}", "augment", i)


def _describe_moved_inputs(context: CheckContext) -> str:
    """Return in words what moves while its targets do not, where a target belongs to a place within a sample."""
    facts = context.facts
    axes = facts.fields[facts.target].axes if facts.target is not None else ""
    if context.recipe.task.target_kind == "pairs":
        return "tokens, but not where the second piece of a pair begins"
    if axes == "HW":
        return "the pixels of an image, but not those of its mask"
    if axes == "T" and (facts.classes or facts.ordered):
        return "tokens, but not their targets"
    return ""


def check_source_memory(source: Source) -> Iterator[Problem]:
    """Refuse a source whose samples are larger than the memory; asked before anything is read."""
    wanted, there = source.memory_bytes(), machine.memory()
    if there is not None and wanted > there:
        message = (
            f"{source.type} makes {format_size(wanted)} of samples, and this machine has {format_size(there)} of memory"
        )
        yield DataTooLarge.at_root(message, "data", "source")
