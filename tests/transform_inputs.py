"""Batches that tests of transforms send through them, and their true descriptions."""

import numpy as np
import torch

from dlx.tensors import Stats, TensorSpec
from dlx.transforms import Transform


def transform(value):
    return Transform.model_validate(value)


def described(batch, axes, **more):
    """Return the TensorSpec of a batch with its true statistics."""
    array = batch.numpy().astype(np.float64)
    axis = next((i + 1 for i, a in enumerate(axes) if a in "CF"), None)
    columns = array.reshape(-1, 1) if axis is None else np.moveaxis(array, axis, -1).reshape(-1, array.shape[axis])
    stats = Stats(
        mean=tuple(columns.mean(0)),
        std=tuple(columns.std(0)),
        low=tuple(columns.min(0)),
        high=tuple(columns.max(0)),
        quantiles=tuple(tuple(np.quantile(c, np.linspace(0, 1, 5))) for c in columns.T),
    )
    dtype = str(batch.dtype).removeprefix("torch.")
    return TensorSpec(tuple(batch.shape[1:]), axes, dtype, stats=stats, **more)


def images(dtype=torch.uint8, channels=3, size=(8, 10)):
    generator = torch.Generator().manual_seed(0)
    batch = torch.randint(0, 256, (16, channels, *size), generator=generator)
    return batch.to(dtype)


def features():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(64, 5, generator=generator) * torch.tensor([1.0, 10, 0.1, 3, 0]) + torch.tensor(
        [0.0, 5, 1, -7, 2]
    )
