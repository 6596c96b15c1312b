"""Inputs for layers: specs of them and random samples."""

import torch

from dlx.layers import Layer
from dlx.nn.context import apply
from dlx.tensors import Stats, TensorSpec, context_of

BATCH = 2
STATS = Stats(
    mean=(0.0, 1.0, 2.0),
    std=(1.0, 2.0, 0.0),
    low=(-3.0, -5.0, 2.0),
    high=(3.0, 7.0, 2.0),
    quantiles=((-3.0, 0.0, 3.0), (-5.0, 1.0, 7.0), (2.0, 2.0, 2.0)),
    missing=(False, True, False),
)
TABLE = {
    "numeric": TensorSpec((3,), "F", stats=STATS),
    "categorical": TensorSpec((2,), "F", dtype="int64", vocab=(4, 7)),
}
CONDITIONS = {
    "time": TensorSpec((), ""),
    "label": TensorSpec((), "", "int64", vocab=(5,)),
    "condition": TensorSpec((6,), "F"),
}
"""Context of a conditional network."""


def sample(x, batch=BATCH):
    if not isinstance(x, TensorSpec):
        return {name: sample(field, batch) for name, field in x.items()}
    if x.is_float:
        return torch.randn(batch, *x.dims)
    if not x.dims:
        return torch.randint(x.vocab[0], (batch,))
    if x.dtype == "bool":
        return torch.ones(batch, *x.dims, dtype=torch.bool)
    return torch.stack([torch.randint(x.vocab[i % len(x.vocab)], (batch,)) for i in range(x.elements)], 1)


def built(spec, x):
    torch.manual_seed(0)
    return Layer.model_validate(spec).build(x)


def run(module, inputs, x):
    """Apply a module to inputs of this spec, with a sample of everything that is in scope."""
    return apply(module, inputs, {name: sample(value) for name, value in context_of(x).items()})
