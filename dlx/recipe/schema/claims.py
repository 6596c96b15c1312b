"""Claims: conditions that a number of the run or of the plan is expected to meet."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}
_CLAIM = re.compile(r"^\s*(>=|<=|==|>|<)\s*([-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*$")


def _check(claim: Any) -> Any:
    if isinstance(claim, str) and not _CLAIM.match(claim):
        raise ValueError("a claim is a comparison with a number, such as '>= 0.99'")
    if isinstance(claim, list) and (len(claim) != 2 or claim[0] > claim[1]):
        raise ValueError("a range is [lowest, highest]")
    return claim


Claim = Annotated[int | float | str | list[float], AfterValidator(_check)]
"""`">= 0.99"`, `[0.2, 0.3]` (both ends included), or a number that must be met exactly."""


def _without_nulls(value: Any) -> Any:
    return {k: v for k, v in value.items() if v is not None} if isinstance(value, Mapping) else value


WITHOUT_NULLS = BeforeValidator(_without_nulls, json_schema_input_type=dict[str, Claim | None])
"""A claim that is null is none: so a recipe takes back one of a recipe that it extends."""


def holds(claim: int | float | str | list[float], value: float) -> bool:
    """Say whether a number meets a claim; a missing or NaN value never does."""
    if isinstance(claim, list):
        return claim[0] <= value <= claim[1]
    if isinstance(claim, str):
        match = _CLAIM.match(claim)
        return match is not None and _COMPARE[match[1]](value, float(match[2]))
    return value == claim
