"""What is in scope where a network's input comes in: which steps of its sequences are real."""

from __future__ import annotations

from dlx.facts import DataFacts
from dlx.tensors import Spec, TensorSpec, with_context


def masks(facts: DataFacts) -> dict[str, str]:
    """Return under which names networks find the masks of input fields that are sequences: name in scope → field.

    That of the only input is `mask`; in a record each is `<field>_mask`, which `field` and `provide` make the mask of
    what they choose.
    """
    sequences = [name for name in facts.inputs if is_sequence(facts.fields[name])]
    return {"mask" if len(facts.inputs) == 1 else f"{name}_mask": name for name in sequences}


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
