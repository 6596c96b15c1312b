"""Search space: which values a sweep may choose for each path of a recipe, and how a point of it is drawn.

A domain is written as a list of choices, as `{uniform: [low, high]}`, `{log: [low, high]}`, `{int: [low, high]}` or
`{log_int: [low, high]}`, or as `{any: […]}`, whose alternatives may hold further domains of their own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Scalar = str | int | float | bool | None
Params = Mapping[str, Scalar]
"""What was chosen for each domain by its name: a number of a range, or the name of an option."""

ANY, STEP = "any", "step"
RANGES = {"uniform": (False, False), "log": (True, False), "int": (False, True), "log_int": (True, True)}
"""Kinds of ranges: whether each is on a logarithmic scale, and whether of whole numbers."""


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both included; in steps of `step` from low on where one is given."""

    low: float
    high: float
    log: bool = False
    integer: bool = False
    step: float | None = None

    @property
    def ends(self) -> tuple[Scalar, ...]:
        """The smallest and the largest number."""
        return (self.low, self.high) if self.high > self.low else (self.low,)

    @property
    def size(self) -> int | None:
        """How many numbers there are; None where there is no end of them."""
        if self.integer or self.step:
            return int((self.high - self.low) / (self.step or 1) + 1e-9) + 1
        return 1 if self.high == self.low else None

    def at(self, share: float) -> int | float:
        """Return the number that so much of the range, from 0 to 1, lies below."""
        if self.log:
            value = math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + share * (self.high - self.low)
        if self.step:
            value = self.low + round((value - self.low) / self.step) * self.step
        value = min(max(value, self.low), self.high)
        return round(value) if self.integer else value


@dataclass(frozen=True)
class Choice:
    """One of several options; each has a name, by which a trial says which it took."""

    options: tuple[Any, ...]
    names: tuple[Scalar, ...]

    @property
    def ends(self) -> tuple[Scalar, ...]:
        """The names of all options."""
        return self.names

    def index(self, name: Scalar) -> int:
        """Return which option has a name."""
        return next(i for i, known in enumerate(self.names) if type(known) is type(name) and known == name)


Domain = Range | Choice
Draw = Callable[[str, Domain], Scalar]
"""Chooses from a domain, of which it is told the name: a number of a range, or the name of an option."""


@dataclass(frozen=True)
class SearchSpace:
    """The domain of every path that a sweep changes."""

    domains: Mapping[str, Domain]

    def draw(self, choose: Draw) -> dict[str, Scalar]:
        """Return a point, chosen domain by domain; those inside of options that are not taken are not asked for."""
        point: dict[str, Scalar] = {}
        for path, domain in self.domains.items():
            _visit(path, domain, choose, point)
        return point

    def extremes(self) -> Iterator[dict[str, Scalar]]:
        """Yield points that together have every option of every domain and both ends of every range."""
        known: set[tuple[str, type, Scalar]] = set()
        waiting: list[dict[str, Scalar]] = [{}]
        for fixed in waiting:  # grows while it is read

            def choose(name: str, domain: Domain, fixed: Params = fixed) -> Scalar:
                for end in domain.ends:
                    if (name, type(end), end) not in known:
                        known.add((name, type(end), end))
                        if name not in fixed and end is not domain.ends[0]:
                            waiting.append({**fixed, name: end})
                return fixed.get(name, domain.ends[0])

            yield self.draw(choose)
        yield self.draw(lambda _, domain: domain.ends[-1])

    def grid(self, points: int) -> Iterator[dict[str, Scalar]]:
        """Yield every point of a grid, the last domain changing first; ranges without end have so many points."""
        waiting: list[dict[str, Scalar]] = [{}]
        while waiting:
            fixed = waiting.pop()
            split: list[tuple[str, list[Scalar]]] = []

            def choose(name: str, domain: Domain, fixed: Params = fixed, split: Any = split) -> Scalar:
                if name not in fixed and not split:
                    split.append((name, _grid_of(domain, points)))
                return fixed.get(name, domain.ends[0])

            point = self.draw(choose)
            if not split:
                yield point
                continue
            name, values = split[0]
            waiting += [{**fixed, name: value} for value in reversed(values)]


def _visit(name: str, domain: Domain, choose: Draw, point: dict[str, Scalar]) -> None:
    value = point[name] = choose(name, domain)
    if isinstance(domain, Choice):
        for inner, found in inside(domain.options[domain.index(value)]):
            _visit(f"{name}.{inner}", found, choose, point)


def inside(option: Any) -> Iterator[tuple[str, Domain]]:
    """Yield the domains that stand in an option, but not in those, with their paths."""
    items = option.items() if isinstance(option, Mapping) else enumerate(option) if isinstance(option, list) else ()
    for key, value in items:
        if isinstance(value, Range | Choice):
            yield str(key), value
        else:
            yield from ((f"{key}.{path}", domain) for path, domain in inside(value))


def _grid_of(domain: Domain, points: int) -> list[Scalar]:
    if isinstance(domain, Choice):
        return list(domain.names)
    count = points if domain.size is None else min(points, domain.size)
    values = [domain.at(i / (count - 1)) for i in range(count)] if count > 1 else [domain.low]
    return list(dict.fromkeys(values))


def read_domain(value: Any) -> Domain:
    """Read a domain as a recipe writes it. Raises: ValueError that says what is wrong with it."""
    found = _domain(value)
    if found is None and isinstance(value, list):
        return _choice(value)
    if found is None:
        kinds = ", ".join(f"{{{kind}: [low, high]}}" for kind in RANGES)
        raise ValueError(f"write a list of values, {kinds} or {{any: [alternatives]}}")
    return found


def _domain(value: Any) -> Domain | None:
    """Read a range or `{any: …}`; None where a value is neither."""
    if not isinstance(value, Mapping):
        return None
    if set(value) == {ANY}:
        return _choice(value[ANY])
    kind = next((key for key in RANGES if key in value), None)
    if kind is None or not set(value) <= {kind, STEP} or not _is_pair(value[kind]):
        return None
    return _range(kind, value[kind][0], value[kind][1], value.get(STEP))


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _range(kind: str, low: Any, high: Any, step: Any) -> Range:
    log, integer = RANGES[kind]
    if low > high:
        raise ValueError(f"a range is [lowest, highest], but {low} is more than {high}")
    if log and low <= 0:
        raise ValueError(f"a logarithmic range begins above 0, not at {low}")
    if integer and not all(isinstance(end, int) for end in (low, high)):
        raise ValueError(f"{kind} takes whole numbers")
    if step is not None and (log or not _is_number(step) or step <= 0):
        raise ValueError(f"step is a number above 0, and not for logarithmic ranges: {step}")
    return Range(low, high, log, integer, step) if integer else Range(float(low), float(high), log, False, step)


def _choice(values: Any) -> Choice:
    if not isinstance(values, list) or not values:
        raise ValueError("give at least one value to choose from, in a list")
    options = tuple(_with_domains(value) for value in values)
    names = [_option_name(value, i) for i, value in enumerate(values)]
    unique = [name if names.count(name) == 1 else f"{name}#{i + 1}" for i, name in enumerate(names)]
    return Choice(options, tuple(unique))


def _option_name(value: Any, index: int) -> Scalar:
    """Return how a trial calls an option: the value itself, or the type of a component."""
    if not isinstance(value, Mapping | list):
        return value  # type: ignore[no-any-return]
    if isinstance(value, Mapping) and isinstance(value.get("type"), str):
        return str(value["type"])
    if isinstance(value, Mapping) and len(value) == 1:
        return str(next(iter(value)))
    return json.dumps(value) if isinstance(value, list) and not any(inside(_with_domains(value))) else f"#{index + 1}"


def _with_domains(value: Any) -> Any:
    """Return a value in which every domain is read."""
    found = _domain(value)
    if found is not None:
        return found
    if isinstance(value, Mapping):
        return {key: _with_domains(inner) for key, inner in value.items()}
    return [_with_domains(inner) for inner in value] if isinstance(value, list) else value
