"""A named architecture as the layers that a person could paste into a recipe and change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from dlx.component import Component
from dlx.errors import ShapeError, UsageError
from dlx.models import Model
from dlx.tensors import TensorSpec

AXES = {1: "F", 2: "TF", 3: "CHW", 4: "CDHW"}
USUAL = ((1, 28, 28), (3, 32, 32), (3, 224, 224), (16,), (32, 16))
"""Inputs that are tried where none is given: digits, small and large photos, features, sequences."""


def model_named(name: str, settings: Sequence[str]) -> Model:
    """Return a model from its type and `key=value` settings. Raises: UsageError that says what is wrong with them."""
    import yaml

    fields: dict[str, Any] = {"type": name}
    for setting in settings:
        key, sign, value = setting.partition("=")
        if not sign:
            raise UsageError(f"'{setting}' is not key=value")
        try:
            fields[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UsageError(f"{key}: '{value}' is not a value") from None
    try:
        return Model.model_validate(fields)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc'])) or name}: {e['msg']}" for e in error.errors(include_url=False)]
        raise UsageError("; ".join(lines)) from None


def input_spec(text: str) -> TensorSpec:
    """Read `1x28x28`. Raises: UsageError if it is no shape."""
    parts = text.lower().replace("×", "x").split("x")
    if not all(part.strip().isdigit() for part in parts) or len(parts) not in AXES:
        raise UsageError(f"'{text}' is not a shape such as 1x28x28")
    return TensorSpec(tuple(int(part) for part in parts), AXES[len(parts)])


def fitting_input(model: Model) -> TensorSpec:
    """Return the first usual input that the model takes. Raises: ShapeError of the first one if it takes none."""
    first: ShapeError | None = None
    for dims in USUAL:
        x = TensorSpec(dims, AXES[len(dims)])
        try:
            model.tree(x).shape(x)  # type: ignore[arg-type]
        except ShapeError as error:
            first = first or error
            continue
        return x
    raise first or ShapeError(f"{model.type} takes none of the usual inputs; give one with --input")


def written(value: Any) -> Any:
    """Return layers as plain values in their shortest spelling."""
    if isinstance(value, Component):
        fields = {name: getattr(value, name) for name in value.model_fields_set if name not in ("type", "name")}
        inner = value.type if not fields else {value.type: written(fields)}
        name = getattr(value, "name", None)
        return {name: inner} if name else inner
    if isinstance(value, Mapping):
        return {key: written(item) for key, item in value.items()}
    return [written(item) for item in value] if isinstance(value, list | tuple) else value
