"""The `train` section of a recipe: how long training takes, and in what portions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from dlx.component import Section
from dlx.recipe.schema.permission import FREE


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
