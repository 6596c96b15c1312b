"""Every field reaches what is built: changed, it changes the built object or what a run of it does.

A family joins with an observer: a function from a component to something comparable that depends on each of its
fields. A field that matters only beside another one (`dampening` needs a momentum) is tried beside every other field,
changed, before it counts as ignored. A field that is for something else says so beside it (`unbuilt_fields`).
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import built_objects
import observers
import pytest
from kit import example
from pydantic import ValidationError

from dlx.component import Component, base_class, leaf_class, types

OBSERVERS: dict[str, Callable[[Any], Any]] = {
    "adapters": observers.adapted_network,
    "augmentations": built_objects.augmented,
    "initializers": built_objects.filled_weights,
    "layers": built_objects.outputs_of_layer,
    "losses": built_objects.losses_and_predictions,
    "metrics": built_objects.measured,
    "models": built_objects.architectures,
    "optimizers": observers.trained_weights,
    "regularizers": observers.regularized_training,
    "schedules": observers.learning_rates,
    "searchers": built_objects.proposals,
    "strategies": observers.attributes,
    "tokenizers": built_objects.tokenized,
    "transforms": built_objects.transformed,
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
    """Return the fields that can have another value, as some of LBFGS cannot, and on which what is built depends."""
    schema = type(spec).model_json_schema()["properties"]
    fixed = {"type", *type(spec).unbuilt_fields}
    return [field for field in type(spec).model_fields if field not in fixed and not _is_constant(schema[field])]


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
    needed = {name: v for name, v in given.items() if name == "type" or type(spec).model_fields[name].is_required()}
    for value in values:
        found = valid(spec, {**given, field: value}) or valid(spec, {**needed, field: value})
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
        names = [name for name in types(value.family) if name != value.type]
        width = getattr(value, value.primary) if value.primary else None
        return [*names, *({name: width} for name in names if width is not None)]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, str):
        named = [*literals(annotation, (str, int)), *components(annotation)]
        return [*named, None, 1, "b", "2 epochs", "*.weight", "val/other_loss"]
    if isinstance(value, (tuple, list)):
        scaled = [v * 0.5 if isinstance(v, float) else v for v in value]
        return [scaled, [1 for _ in value], [], ["*"], [0.3], [*value, "relu"], value[:1]]
    if isinstance(value, dict):
        return [{}, {"*": 0.5}]
    if value is None:
        plain = [1, 0.1, 3, 12, True, "*.weight", "b", [1.0, 2.0, 3.0], [2, 1, 1, 1], {"a": 2.0}, [[0.5] * 16] * 2]
        return [*literals(annotation), *components(annotation), *plain]
    near = [type(value)(value * factor) for factor in (0.5, 0.07, 0.02, 2, 10)]
    return [*literals(annotation, int), *near, 1, 2, 0.5, 0.1, 0.02, -0.3]


def literals(annotation: Any, kind: type | tuple[type, ...] = str) -> list[Any]:
    """Return the values of a kind, or of several, of every Literal in an annotation."""
    return [part for part in _parts(annotation) if isinstance(part, kind)]


def components(annotation: Any) -> list[str]:
    """Return the names of the components that an annotation takes."""
    held = [part for part in _parts(annotation) if isinstance(part, type) and issubclass(part, Component)]
    return [name for base in held for name in types(base.family)]


def _parts(annotation: Any) -> Iterator[Any]:
    inner = getattr(annotation, "__args__", ())
    for part in inner:
        yield from _parts(part)
    if not inner:
        yield annotation


def test_the_sweep_notices_a_field_that_is_ignored():
    class Deaf(leaf_class("schedules", "linear")):  # type: ignore[misc]
        def lr_factor(self, step, length):
            return 1.0

    spec = Deaf(end_factor=0.1)
    assert not any(matters(start, "end_factor", observers.learning_rates) for start in starts(spec, "end_factor"))
    assert matters(spec, "warmup", observers.learning_rates)
