"""Inputs of every kind that a model may take, for tests."""

import torch

from dlx.tensors import Stats, TensorSpec

BATCH = 3
FLAT = TensorSpec((7,), "F")
IMAGE = TensorSpec((1, 28, 28), "CHW")
PHOTO = TensorSpec((3, 64, 64), "CHW")
STATS = Stats(mean=(10.0, 20.0), std=(2.0, 5.0), missing=(False, True))
NUMBERS = TensorSpec((2,), "F", names=("age", "hours"), stats=STATS)
CODES = TensorSpec((2,), "F", "int64", vocab=(3, 5), names=("work", "sex"))
TOKENS = TensorSpec((9,), "T", "int64", vocab=(11,))
SERIES = TensorSpec((9, 4), "TF")
CONDITIONS = {"time": TensorSpec((), ""), "label": TensorSpec((), "", "int64", vocab=(3,))}
INPUTS = {
    "flat": FLAT,
    "image": IMAGE,
    "photo": PHOTO,
    "numbers": NUMBERS,
    "codes": CODES,
    "table": {"numeric": NUMBERS, "categorical": CODES},
    "tokens": TOKENS,
    "series": SERIES,
    "conditioned": FLAT.replace(context=CONDITIONS),
    "conditioned_image": TensorSpec((1, 8, 8), "CHW", context=CONDITIONS),
    "pair": {"source": TOKENS, "target": TOKENS.replace(dims=(6,), vocab=(13,))},
}


def sample(x: object) -> object:
    if not isinstance(x, TensorSpec):
        return {name: sample(field) for name, field in x.items()}
    if not x.dims:
        return torch.randint(x.vocab[0], (BATCH,)) if x.vocab else torch.rand(BATCH)
    if x.vocab:
        return torch.stack([torch.randint(x.vocab[i % len(x.vocab)], (BATCH,)) for i in range(x.elements)], 1)
    return torch.randn(BATCH, *x.dims)
