"""Claims: conditions that a number of the run or of the plan is expected to meet, and where they come from."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_serializer,
)

from dlx.component import Section

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}
_BOUND = re.compile(r"^\s*(>=|<=|==|>|<)\s*([-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*$")


def _check(bound: Any) -> Any:
    if isinstance(bound, str) and not _BOUND.match(bound):
        raise ValueError("a claim is a comparison with a number, such as '>= 0.99'")
    if isinstance(bound, list) and (len(bound) != 2 or bound[0] > bound[1]):
        raise ValueError("a range is [lowest, highest]")
    return bound


Bound = Annotated[int | float | str | list[float], AfterValidator(_check)]
"""`">= 0.99"`, `[0.2, 0.3]` (both ends included), or a number that must be met exactly."""
_BARE = TypeAdapter(Bound)


class Claim(Section):
    """A bound that a number must meet, and where the bound comes from. A bound by itself is a claim too."""

    bound: Bound
    """A comparison such as ">= 0.97", a range [lowest, highest], or a number that must be met exactly."""
    source: str = ""
    """Where the bound comes from: a paper and its table, or a script."""
    baseline: dict[str, float] = Field(default_factory=dict)
    """What simple methods reach on the same split, by their names, such as {majority: 0.5}."""
    post_hoc: bool = False
    """Whether the bound was set or moved after a look at the split that it is about."""

    @model_serializer(mode="wrap")
    def _write_shortest(self, handler: SerializerFunctionWrapHandler) -> Any:
        """Write what a person would: nothing that is empty, and the bound alone where there is nothing else."""
        fields = {name: value for name, value in handler(self).items() if name == "bound" or value}
        return fields["bound"] if len(fields) == 1 else fields

    @property
    def beats_baseline(self) -> bool:
        """Whether none of the baselines would meet the bound."""
        return not any(holds(self.bound, value) for value in self.baseline.values())


def _read_claim(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    if isinstance(value, Mapping | Claim):
        return handler(value)
    return Claim(bound=_BARE.validate_python(value, strict=True))


ClaimField = Annotated[
    Claim, WrapValidator(_read_claim, json_schema_input_type=int | float | str | list[float] | Claim)
]
"""A claim as it is written: a bound, or a mapping with the bound and its source."""


def _without_nulls(value: Any) -> Any:
    return {k: v for k, v in value.items() if v is not None} if isinstance(value, Mapping) else value


WITHOUT_NULLS = BeforeValidator(_without_nulls, json_schema_input_type=dict[str, ClaimField | None])
"""A claim that is null is none: so a recipe takes back one of a recipe that it extends."""


def holds(bound: int | float | str | list[float], value: float) -> bool:
    """Say whether a number meets a bound; a missing or NaN value never does."""
    if isinstance(bound, list):
        return bound[0] <= value <= bound[1]
    if isinstance(bound, str):
        match = _BOUND.match(bound)
        return match is not None and _COMPARE[match[1]](value, float(match[2]))
    return value == bound


def describe_origin(source: str, baseline: Mapping[str, float], post_hoc: bool) -> str:
    """Say in a few words where a bound comes from: its source, its baselines, whether it was set after a look."""
    numbers = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in baseline.items())
    return "; ".join(part for part in (source, numbers, "set after a look at the split" if post_hoc else "") if part)
