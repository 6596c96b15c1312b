"""Weights that come from another run, and weights that stay as they are: two sections of a recipe."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from dlx.component import Section
from dlx.patterns import matches, matching_layers, outermost_match


class InitFrom(Section):
    """Weights begin as another run's ended, or as an earlier stage of the same recipe did.

    Every weight that is chosen must be there in the same shape; what is not chosen starts as it would anyway.
    """

    run: str | None = Field(None, min_length=1)
    """The run: its name, MLflow id, directory or checkpoint; of a run, its best weights."""
    stage: str | None = Field(None, min_length=1)
    """In a recipe with `stages`, the earlier stage instead of a run."""
    only: list[str] = Field(default_factory=lambda: ["*"], min_length=1)
    """Which layers, as `dlx plan` names them: `body` is all that is in it, `body.*.0` a glob."""
    roles: dict[str, str] = Field(default_factory=dict)
    """Which network of this recipe begins as which of the other run's, where they are not of one name; a network that
    is alone in its run needs no name. Where roles are given, networks that are not named do not take part.
    """

    @model_validator(mode="after")
    def _one_of_two(self) -> InitFrom:
        if (self.run is None) == (self.stage is None):
            raise ValueError("give the run or the stage to begin with, and not both")
        return self

    def pairs(self, mine: Sequence[str], theirs: Sequence[str], origin: str) -> dict[str, str]:
        """Return which network of the other run, which `origin` names, each one begins as.

        Raises: ValueError that says how networks cannot be told.
        """
        if self.roles:
            pairs = dict(self.roles)
        elif len(mine) == len(theirs) == 1:
            pairs = {mine[0]: theirs[0]}
        else:
            pairs = {role: role for role in mine if role in theirs}
        if not pairs or any(other not in theirs for other in pairs.values()):
            here, there = ", ".join(mine), ", ".join(theirs)
            raise ValueError(f"{origin} holds {there}, this recipe {here}; say which is which in `roles`")
        return pairs

    def takes(self, name: str) -> bool:
        """Say whether a layer or weight is among those that are chosen."""
        return any(matches(pattern, name) for pattern in self.only)


class Frozen(Section):
    """Layers that do not learn, always or at first."""

    layers: str = Field(min_length=1)
    """Which layers, as `dlx plan` names them: `body` is all that is in it, `body.*.0` a glob."""
    until: float | None = Field(None, gt=0)
    """How long: a fraction of all steps, or steps if ≥ 1; null for always."""
    gradual: bool = False
    """Whether the layers that the glob names begin to learn one by one, the last of them first and all of them by
    `until`; of those in `body`, write `body.*`.
    """

    @model_validator(mode="after")
    def _ends(self) -> Frozen:
        if self.gradual and self.until is None:
            raise ValueError("say until when the last of the layers has begun to learn")
        return self


def beginning(frozen: Sequence[Frozen], weights: Sequence[str], steps: int) -> Callable[[str], float]:
    """Return what says from which step a layer or weight learns: the latest of all that is said of it, inf for never.

    weights  all names of weights or layers with weights, in the order of the network
    """
    orders = [matching_layers(entry.layers, weights) if entry.gradual else [] for entry in frozen]

    def step(name: str) -> float:
        return max((_end(e, order, outermost_match(e.layers, name), steps) for e, order in pairs), default=0.0)

    pairs = list(zip(frozen, orders, strict=True))
    return step


def _end(entry: Frozen, order: Sequence[str], layer: str | None, steps: int) -> float:
    """Return the step from which a layer that is named learns, of which None is none."""
    if layer is None:
        return 0.0
    if entry.until is None:
        return math.inf
    end = entry.until * steps if entry.until < 1 else entry.until
    return end * (len(order) - order.index(layer)) / len(order) if layer in order else end


def _read_run(value: Any) -> Any:
    return {"run": value} if isinstance(value, str) else value


def _read_frozen(value: Any) -> Any:
    """Read names of layers as layers that never learn; one needs no list, and null is none."""
    entries = [] if value is None else [value] if isinstance(value, (str, Mapping)) else value
    return [{"layers": e} if isinstance(e, str) else e for e in entries] if isinstance(entries, list) else value


Beginning = Annotated[InitFrom | None, BeforeValidator(_read_run, json_schema_input_type=InitFrom | str | None)]
_Layers = str | Frozen
_READ_FROZEN = BeforeValidator(_read_frozen, json_schema_input_type=_Layers | list[_Layers] | None)
Freezing = Annotated[list[Frozen], _READ_FROZEN]
