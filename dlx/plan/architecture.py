"""A named architecture as the layers that a person could paste into a recipe and change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from dlx.component import Component
from dlx.errors import ShapeError, UsageError
from dlx.models import Model
from dlx.tensors import Spec, TensorSpec

AXES = {1: "F", 2: "TF", 3: "CHW", 4: "CDHW"}
WORDS = 50_257  # of GPT-2, the vocabulary that papers compare by
TOLD = {"time": TensorSpec((), ""), "label": TensorSpec((), "", "int64", (11,))}
USUAL: tuple[Spec, ...] = (
    TensorSpec((1, 28, 28), "CHW"),
    TensorSpec((3, 32, 32), "CHW"),
    TensorSpec((3, 224, 224), "CHW"),
    TensorSpec((16,), "F"),
    TensorSpec((32, 16), "TF"),
    TensorSpec((1024,), "T", "int64", (WORDS,)),
    TensorSpec((128,), "T", "int64", (WORDS,)),
    {name: TensorSpec((64,), "T", "int64", (37_000,)) for name in ("source", "target")},
    TensorSpec((1, 28, 28), "CHW", context=TOLD),
    TensorSpec((16,), "F", context=TOLD),
)
"""Inputs that are tried where none is given: digits, small and large photos, features, sequences, texts, pairs; and
digits and features of which a network is told the time and the class.
"""


def parse_model(name: str, settings: Sequence[str]) -> Model:
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


def parse_input(text: str) -> Spec:
    """Read `1x28x28`, `64@1000` (64 tokens of 1000 words), or `source=64@1000,target=64@1000`.

    Raises: UsageError if it is none of these.
    """
    if "=" in text:
        fields = [part.partition("=") for part in text.split(",")]
        return {name.strip(): _parse_shape(shape) for name, _, shape in fields}
    return _parse_shape(text)


def _parse_shape(text: str) -> TensorSpec:
    shape, _, words = text.lower().replace("×", "x").partition("@")
    parts = [part.strip() for part in shape.split("x")]
    numbers = [*parts, words.strip()] if "@" in text else parts
    if not all(number.isdigit() for number in numbers) or len(parts) not in AXES or ("@" in text and len(parts) > 1):
        raise UsageError(f"'{text}' is not a shape such as 1x28x28, or 64@1000 for 64 tokens of 1000 words")
    dims = tuple(int(part) for part in parts)
    return TensorSpec(dims, "T", "int64", (int(words),)) if words else TensorSpec(dims, AXES[len(dims)])


def find_input(model: Model) -> Spec:
    """Return the first usual input that the model takes. Raises: ShapeError of the first one if it takes none."""
    first: ShapeError | None = None
    for x in USUAL:
        try:
            model.tree(x).shape(x)  # type: ignore[arg-type]
        except ShapeError as error:
            first = first or error
            continue
        return x
    raise first or ShapeError(f"{model.type} takes none of the usual inputs; give one with --input")


def shortest_spelling(value: Any) -> Any:
    """Return layers as plain values in their shortest spelling."""
    if isinstance(value, Component):
        fields = {name: getattr(value, name) for name in value.model_fields_set if name not in ("type", "name")}
        inner = value.type if not fields else {value.type: shortest_spelling(fields)}
        name = getattr(value, "name", None)
        return {name: inner} if name else inner
    if isinstance(value, Mapping):
        return {key: shortest_spelling(item) for key, item in value.items()}
    return [shortest_spelling(item) for item in value] if isinstance(value, list | tuple) else value
