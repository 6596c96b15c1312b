"""What a trained model takes and gives, in MLflow's words, from the facts of its data."""

from __future__ import annotations

from typing import Any

from dlx.facts import DataFacts
from dlx.tensors import TensorSpec

MOST = 1000
"""Elements of an example's arrays; larger inputs are stored without one."""


def signature_of(facts: DataFacts, target_kind: str | None) -> dict[str, Any] | None:
    """Return inputs, outputs and an example as plain values; None where nothing is predicted.

    Tables are columns by name, all else arrays. The example is made of the train split's means and most frequent
    category, so that no sample leaves the data.
    """
    if target_kind is None or facts.target is None:
        return None
    fields = [(name in facts.tokenizers, facts.fields[name]) for name in facts.inputs]
    tabular = all(is_text or (spec.axes == "F" and spec.names) for is_text, spec in fields)
    inputs, example = _columns(facts) if tabular else _arrays(facts)
    return {"tabular": tabular, "inputs": inputs, "outputs": _outputs(facts), "example": example}


def _columns(facts: DataFacts) -> tuple[list[Any], Any]:
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
            example[name] = _mean(spec, i) if known is None else next(iter(known), "")
    return inputs, example


def _arrays(facts: DataFacts) -> tuple[list[Any], Any]:
    specs = {name: facts.fields[name] for name in facts.inputs}
    inputs = [[name, s.dtype, [-1, *(-1 if d is None else d for d in s.dims)]] for name, s in specs.items()]
    known = all(None not in s.dims for s in specs.values()) and sum(s.elements for s in specs.values()) <= MOST
    return inputs, {name: list(s.dims) for name, s in specs.items()} if known else None


def _mean(spec: TensorSpec, i: int) -> float:
    means = spec.stats.mean if spec.stats is not None else ()
    return round(float(means[i]), 6) if i < len(means) else 0.0


def _outputs(facts: DataFacts) -> list[list[str]]:
    if facts.fields["target"].axes == "T":
        return [["prediction", "string"]]
    if facts.kind != "regression":
        return [["prediction", "string"], *([f"p({name})", "double"] for name in facts.classes)]
    spec = facts.fields["target"]
    if spec.elements <= 1:
        return [["prediction", "double"]]
    names = spec.names if len(spec.names) == spec.elements else [f"prediction_{i + 1}" for i in range(spec.elements)]
    return [[name, "double"] for name in names]
