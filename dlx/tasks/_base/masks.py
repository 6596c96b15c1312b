"""Attention masks of a network's input: which steps of its sequences are real and not padding. Torch-free."""

from __future__ import annotations

from dlx.facts import DataFacts
from dlx.tensors import Spec, TensorSpec, with_context


def mask_names(facts: DataFacts) -> dict[str, str]:
    """Return under which names networks find the attention masks of input fields: name in the context → field.

    That of the only input is `mask`; in a record each is `<field>_mask`, which `field` and `provide` make the mask of
    what they choose.
    """
    sequences = [name for name in facts.inputs if is_sequence(facts.fields[name])]
    return {"mask" if len(facts.inputs) == 1 else f"{name}_mask": name for name in sequences}


def input_with_masks(facts: DataFacts) -> Spec:
    """Return a network's input, with the attention masks of what varies in length in its context."""
    found = {name: facts.fields[field] for name, field in mask_names(facts).items()}
    return with_context(facts.input, {name: mask_spec(spec) for name, spec in found.items() if spec.dims[0] is None})


def mask_spec(x: TensorSpec) -> TensorSpec:
    """Return what the attention mask of a sequence is."""
    return TensorSpec(x.dims[:1], "T", "bool")


def is_sequence(x: TensorSpec) -> bool:
    """Return whether x has steps in time."""
    return x.axes.startswith("T")
