"""Rules: what a section or component refuses, or warns of, given the rest of the recipe, its data and networks.

A rule is a subclass of `Rule` that stands beside the class whose rule it is. Its docstring is what `dlx show error`
says of its code: a title; what the rule finds; `Why:` that is bad; `Instead:` what to write; a `Wrong:` example that it
refuses and a `Right:` one that passes, each of which completes a minimal recipe. Nothing lists rules: they are found by
their class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from dlx.errors import ShapeError

if TYPE_CHECKING:
    from pathlib import Path

    from dlx.diagnostic import Loc
    from dlx.facts import DataFacts
    from dlx.plan.networks import NetworkPlan
    from dlx.recipe.schema.recipe import Recipe
    from dlx.tensors import Spec

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Problem:
    """What a rule finds: a message, and the place from the object that was asked, or from the recipe's root."""

    code: str
    message: str
    loc: Loc = ()
    severity: Severity = "error"
    from_root: bool = False
    stops_training: bool = False

    def __str__(self) -> str:
        return self.message

    def within(self, *loc: str | int) -> Problem:
        """Return the same problem, seen from one level further out."""
        return self if self.from_root else replace(self, loc=(*loc, *self.loc))


class Rule:
    """One thing that is refused, with the words that explain it."""

    code: ClassVar[str]
    severity: ClassVar[Severity] = "error"
    stops_training: ClassVar[bool] = False
    """Of a warning: whether a recipe is planned with it, but trained only by force."""

    @classmethod
    def at(cls, message: str, *loc: str | int) -> Problem:
        """Return a problem at a path within the object that is asked."""
        return Problem(cls.code, message, loc, cls.severity, stops_training=cls.stops_training)

    @classmethod
    def at_root(cls, message: str, *loc: str | int) -> Problem:
        """Return a problem at a path of the whole recipe."""
        return Problem(cls.code, message, loc, cls.severity, True, cls.stops_training)

    @classmethod
    def unless(cls, possible: Callable[[], object], *loc: str | int) -> Iterator[Problem]:
        """Yield a problem if a call raises ShapeError, at the place where that says."""
        try:
            possible()
        except ShapeError as error:
            yield cls.at(error.message, *loc, *error.loc)


class CheckContext(Protocol):
    """What a section or component is checked against: the whole recipe, its data, and its networks once planned."""

    @property
    def recipe(self) -> Recipe:
        """The whole recipe, with every `auto` resolved."""

    @property
    def base(self) -> Path:
        """The folder to which the recipe's paths are relative."""

    @property
    def facts(self) -> DataFacts:
        """What the data say after transforms, as networks see them."""

    @property
    def source_facts(self) -> DataFacts:
        """What the data say before transforms."""

    @property
    def networks(self) -> Mapping[str, NetworkPlan]:
        """The planned networks by role; none while only those problems are looked for that need no shapes."""

    @property
    def earlier_networks(self) -> Mapping[str, Mapping[str, NetworkPlan]]:
        """The networks of earlier stages, by stage and role."""

    @property
    def metric_names(self) -> Sequence[str]:
        """Every metric that the run will have: `train/loss`, `val/accuracy`."""

    @property
    def quantity_names(self) -> Sequence[str]:
        """Every quantity of the plan about which a recipe can make claims: `plan/parameters`."""

    @property
    def world_size(self) -> int:
        """Devices of all nodes together."""

    @property
    def batch_size(self) -> int:
        """Samples in one optimizer step: all of them for a full-batch optimizer."""

    @property
    def micro_batch_size(self) -> int:
        """Samples that a device computes at once."""

    @property
    def training_memory(self) -> tuple[int, int] | None:
        """The bytes that a device needs for one sample at a time, and for a whole micro-batch; None while unknown."""

    @property
    def path(self) -> str:
        """Of a layer: where it stands in its network."""

    @property
    def input(self) -> Spec | None:
        """Of a layer: what it receives."""

    def peak_activations(self, role: str, activation_checkpointing: bool) -> int:
        """Return the bytes of one sample's activations in a network that are alive at once at most."""

    def metric_mode(self, metric: str) -> Literal["min", "max"] | None:
        """Return in which direction a metric is better; None where that is not known."""
