"""What is in scope where a network's input comes in: which steps of its sequences are real."""

from __future__ import annotations

from dlx.errors import ShapeError
from dlx.facts import DataFacts
from dlx.tensors import Spec, TensorSpec, with_context


def masks(facts: DataFacts) -> dict[str, str]:
    """Return under which names networks find the masks of input fields that are sequences: name in scope → field.

    The only sequence of the input has its mask as `mask`; in a record each is `<field>_mask`, so that `provide` finds
    it.
    """
    sequences = [name for name in facts.inputs if is_sequence(facts.fields[name])]
    only = {"mask": sequences[0]} if len(sequences) == 1 else {}
    return {**only, **({f"{name}_mask": name for name in sequences} if len(facts.inputs) > 1 else {})}


def scoped(facts: DataFacts) -> Spec:
    """Return what a network receives, with the masks of what varies in length in scope."""
    found = {name: facts.fields[field] for name, field in masks(facts).items()}
    return with_context(facts.input, {name: mask(spec) for name, spec in found.items() if spec.dims[0] is None})


def mask(x: TensorSpec) -> TensorSpec:
    """Return what the mask of a sequence is."""
    return TensorSpec(x.dims[:1], "T", "bool")


def is_sequence(x: TensorSpec) -> bool:
    """Say whether x has steps in time."""
    return x.axes.startswith("T")


def objection(facts: DataFacts) -> ShapeError | None:
    """Return what is wrong if several input fields vary in length: only one of them has its padding left out."""
    varying = [n for n in facts.inputs if is_sequence(facts.fields[n]) and facts.fields[n].dims[0] is None]
    if len(varying) < 2:
        return None
    return ShapeError(f"{' and '.join(varying)} both vary in length, but only one sequence may: choose by data.inputs")
