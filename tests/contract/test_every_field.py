"""Every field reaches what is built: changed, it changes the built object or what a run of it does.

A family joins with an observer: a function from a component to something comparable that depends on each of its
fields. A field that matters only beside another one (`dampening` needs a momentum) is tried beside every other field,
changed, before it counts as ignored.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import observers
import pytest
from kit import example
from pydantic import ValidationError

from dlx.component import Component, base_class, leaf_class, types

OBSERVERS: dict[str, Callable[[Any], Any]] = {
    "optimizers": observers.trained_weights,
    "regularizers": observers.regularized_training,
    "schedules": observers.learning_rates,
    "strategies": observers.attributes,
}
LEAVES = [(family, name) for family in OBSERVERS for name in types(family)]


@pytest.mark.parametrize(("family", "name"), LEAVES)
def test_every_field_reaches_what_is_built(family, name):
    observed: dict[str, Any] = {}

    def observe(spec: Component) -> Any:
        key = json.dumps(spec.model_dump(mode="json", serialize_as_any=True), sort_keys=True)
        if key not in observed:
            observed[key] = repr(OBSERVERS[family](spec))  # as text, for NaN differs from itself
        return observed[key]

    base = base_class(family).model_validate(example(family, name))
    ignored = [f for f in fields_of(base) if not any(matters(start, f, observe) for start in starts(base, f))]
    assert not ignored


def fields_of(spec: Component) -> list[str]:
    """Return the fields that can have another value: LBFGS has some that cannot."""
    schema = type(spec).model_json_schema()["properties"]
    return [field for field in type(spec).model_fields if field != "type" and not _is_constant(schema[field])]


def _is_constant(field: dict[str, Any]) -> bool:
    empty = 0 in (field.get("maxItems"), field.get("maxProperties"))
    return empty or field.get("type") == "null" or ("minimum" in field and field["minimum"] == field.get("maximum"))


def matters(spec: Component, field: str, observe: Callable[[Component], Any]) -> bool:
    """Return whether another value of a field changes what is observed."""
    return any(observe(spec) != observe(other) for other in changes(spec, field))


def starts(spec: Component, field: str) -> Iterator[Component]:
    """Yield the component, and then the same with each of its other fields changed."""
    yield spec
    for other in (f for f in fields_of(spec) if f != field):
        yield from changes(spec, other)


def changes(spec: Component, field: str) -> Iterator[Component]:
    """Yield the component with other values of a field that are valid; alone where it excludes those that are given."""
    given = {f: getattr(spec, f) for f in spec.model_fields_set} | {"type": spec.type}
    values = others(type(spec).model_fields[field].annotation, getattr(spec, field))
    for value in values:
        found = valid(spec, {**given, field: value}) or valid(spec, {"type": spec.type, field: value})
        if found is not None and getattr(found, field) != getattr(spec, field):
            yield found


def valid(spec: Component, values: dict[str, Any]) -> Component | None:
    try:
        return type(spec).model_validate(values)
    except ValidationError:
        return None


def others(annotation: Any, value: Any) -> list[Any]:
    """Return values of another size or kind that a field might take."""
    if isinstance(value, Component):
        return [name for name in types(value.family) if name != value.type]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, str):
        return [*literals(annotation), None, "2 epochs", "*.weight", "val/other_loss"]
    if isinstance(value, (tuple, list)):
        scaled = [v * 0.5 if isinstance(v, float) else v for v in value]
        return [scaled, [1 for _ in value], [], ["*"], [0.3]]
    if isinstance(value, dict):
        return [{}, {"*": 0.5}]
    if value is None:
        return [1, 0.1, 3, "*.weight"]
    return [type(value)(value * 0.5), value * 2, value * 10, 1, 2, 0.5, 0.1, 0.02, -0.3]


def literals(annotation: Any) -> list[Any]:
    """Return the values of every Literal in an annotation."""
    inside = [
        v for part in getattr(annotation, "__args__", ()) for v in ([part] if not _has_args(part) else literals(part))
    ]
    return [v for v in inside if isinstance(v, str)]


def _has_args(part: Any) -> bool:
    return bool(getattr(part, "__args__", ()))


def test_the_sweep_notices_a_field_that_is_ignored():
    class Deaf(leaf_class("schedules", "linear")):  # type: ignore[misc]
        def lr_factor(self, step, length):
            return 1.0

    spec = Deaf(end_factor=0.1)
    assert not any(matters(start, "end_factor", observers.learning_rates) for start in starts(spec, "end_factor"))
    assert matters(spec, "warmup", observers.learning_rates)
