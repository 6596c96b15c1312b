"""Studies: the two sections that make many runs of one recipe. `sweep` searches, `compare` decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from dlx.component import Section
from dlx.recipe.schema.claims import WITHOUT_NULLS, ClaimField
from dlx.search_space import SearchSpace, read_domain
from dlx.searchers import Searcher

NAME = r"^[A-Za-z0-9][A-Za-z0-9_\-]*$"
Quantity = Literal["parameters", "samples", "compute"]
BASE = "base"
"""Name of the recipe itself among the variants that are compared."""


def _domain(value: Any) -> Any:
    try:
        read_domain(value)
    except ValueError as error:
        raise PydanticCustomError("domain", "{error}", {"error": str(error)}) from None
    return value


Values = Annotated[Any, BeforeValidator(_domain, json_schema_input_type=list[Any] | dict[str, Any])]
"""A domain as it is written."""


class Halving(Section):
    """Asynchronous successive halving (ASHA): most trials stop early, the best go on from their checkpoints.

    Every trial trains to the first rung. Whenever a worker is free, a trial that is among the best of its rung goes on
    to the next one; if there is none, a new trial begins.

    Source:  Li et al. 2020, arXiv:1810.05934, algorithm 2, by promotion.
    """

    rungs: list[Annotated[int, Field(ge=1)]] = Field(min_length=1)
    """Epochs after which trials are compared, rising; trials that pass the last rung train to their end."""
    keep: float = Field(1 / 3, gt=0, lt=1)
    """Fraction of the trials of a rung that are promoted."""

    @model_validator(mode="after")
    def _check_rungs(self) -> Halving:
        if any(b <= a for a, b in zip(self.rungs, self.rungs[1:], strict=False)):
            raise ValueError(f"rungs rise from one to the next, but these are {self.rungs}")
        return self


class Sweep(Section):
    """Hyperparameter search: many trials of the recipe, each with other values of some of its fields."""

    search: Searcher = Field({"type": "tpe"}, validate_default=True)  # type: ignore[assignment]
    """How values are proposed, and how many trials there are."""
    over: dict[str, Values] = Field(min_length=1)
    """Search space: paths into the recipe, each with its choices or its range."""
    halving: Halving | None = None
    """Pruning of bad trials by successive halving."""
    monitor: str | None = Field(None, pattern=r"^val/")
    """The val metric that is optimized; by default the one that chooses the task's best checkpoint."""
    seeds: int = Field(1, ge=1)
    """Trainings of each trial, with the recipe's seed and those after it; its value is their mean."""
    workers: int = Field(1, ge=1)
    """Processes that train trials at the same time."""
    power_law: list[Quantity] = Field(default_factory=list)
    """Quantities against which a power law is fitted to the values of trials, which must be losses: `parameters`,
    `samples` of train, `compute` in floating-point operations.
    """
    keep_checkpoints: int = Field(1, ge=1)
    """Trials of which checkpoints are kept, the best first; others keep theirs while they may go on."""

    @property
    def space(self) -> SearchSpace:
        """The domains of all paths."""
        return SearchSpace({path: read_domain(value) for path, value in self.over.items()})


class Compare(Section):
    """Comparison of variants of the recipe, each trained with the same seeds or folds, with significance tests."""

    variants: dict[Annotated[str, Field(pattern=NAME)], dict[str, Any]] = Field(min_length=1)
    """What each variant changes in the recipe; the recipe itself takes part as `base`."""
    seeds: int | None = Field(5, ge=2)
    """Trainings of each variant, with the recipe's seed and those after it."""
    folds: Literal["all"] | None = None
    """Instead of seeds: `all` trains each variant on every fold of `data.split.folds`."""
    metric: str | None = None
    """The metric that is compared; by default the task's first metric of test, or of val where folds are compared."""
    confidence: float = Field(0.95, gt=0, lt=1)
    """Confidence level of the intervals and of the significance tests."""

    @model_validator(mode="before")
    @classmethod
    def _drop_seeds(cls, value: Any) -> Any:
        by_folds = isinstance(value, Mapping) and value.get("folds") is not None
        return {"seeds": None, **value} if by_folds else value

    @model_validator(mode="after")
    def _check_repeats(self) -> Compare:
        if (self.seeds is None) == (self.folds is None):
            raise ValueError("give seeds or folds, not both")
        if BASE in self.variants:
            raise ValueError(f"'{BASE}' is the recipe itself; give the variant another name")
        return self


class Study(Section):
    """Many runs of one recipe, and what is claimed about them."""

    sweep: Sweep | None = None
    """A search."""
    compare: Compare | None = None
    """A comparison."""
    expect: Annotated[dict[str, ClaimField], WITHOUT_NULLS] = Field(default_factory=dict)
    """Claims: `compare/VARIANT` is a difference to `base`, of which the whole interval must meet the claim,
    `compare/VARIANT/mean` its mean; `sweep/best` the best value of the search, `sweep/epochs_share` the share of all
    epochs that halving trained; `sweep/power_law/parameters` the exponent of a power law, with `/low` and `/high` the
    ends of its interval.
    """
