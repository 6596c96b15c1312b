"""The `data` section of a recipe: where samples come from, how they are split and what is done to them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dlx.augmentations import Augmentation
from dlx.component import Section
from dlx.recipe.schema.permission import FIXED, FREE
from dlx.recipe.schema.roles import ByRole, read_roles_of
from dlx.sources import Source
from dlx.tokenizers import Tokenizer
from dlx.transforms import Transform


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
    tokenizer: Annotated[ByRole[Tokenizer], read_roles_of("tokenizers")] | None = None
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
