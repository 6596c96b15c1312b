"""The model signature: inputs, outputs and an input example of a trained model, from the facts of its data."""

from __future__ import annotations

from typing import Any

from dlx.facts import DataFacts
from dlx.tensors import TensorSpec

MAX_EXAMPLE_ELEMENTS = 1000
"""Elements of an example's arrays; larger inputs are stored without one."""


def model_signature(facts: DataFacts, target_kind: str | None) -> dict[str, Any] | None:
    """Return inputs, outputs and an example as plain values; None where nothing is predicted.

    Tables are columns by name, all else arrays. The example is made of the train split's means and most frequent
    category, so that no sample leaves the data.
    """
    if target_kind is None or facts.target is None:
        return None
    fields = [(name in facts.tokenizers, facts.fields[name]) for name in facts.inputs]
    tabular = all(is_text or (spec.axes == "F" and spec.names) for is_text, spec in fields)
    inputs, example = _table_inputs(facts) if tabular else _array_inputs(facts)
    return {"tabular": tabular, "inputs": inputs, "outputs": _output_columns(facts), "example": example}


def _table_inputs(facts: DataFacts) -> tuple[list[Any], Any]:
    inputs: list[Any] = []
    example: dict[str, Any] = {}
    for field in facts.inputs:
        spec = facts.fields[field]
        if field in facts.tokenizers:
            inputs.append([field, "string"])
            example[field] = "some text"
        for i, name in enumerate(spec.names):
            known = facts.categories.get(name)
            inputs.append([name, "double" if known is None else "string"])
            example[name] = _column_mean(spec, i) if known is None else next(iter(known), "")
    return inputs, example


def _array_inputs(facts: DataFacts) -> tuple[list[Any], Any]:
    specs = {name: facts.fields[name] for name in facts.inputs}
    inputs = [[name, s.dtype, [-1, *(-1 if d is None else d for d in s.dims)]] for name, s in specs.items()]
    if any(None in s.dims for s in specs.values()) or sum(s.elements for s in specs.values()) > MAX_EXAMPLE_ELEMENTS:
        return inputs, None
    return inputs, {name: list(s.dims) for name, s in specs.items()}


def _column_mean(spec: TensorSpec, i: int) -> float:
    means = spec.stats.mean if spec.stats is not None else ()
    return round(float(means[i]), 6) if i < len(means) else 0.0


def _output_columns(facts: DataFacts) -> list[list[str]]:
    if facts.fields["target"].axes == "T":
        return [["prediction", "string"]]
    if facts.kind != "regression":
        return [["prediction", "string"], *([f"p({name})", "double"] for name in facts.classes)]
    spec = facts.fields["target"]
    if spec.elements <= 1:
        return [["prediction", "double"]]
    names = spec.names if len(spec.names) == spec.elements else [f"prediction_{i + 1}" for i in range(spec.elements)]
    return [[name, "double"] for name in names]
