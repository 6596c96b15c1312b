"""Length bucketing: batches of samples of about the same length, so that little of a batch is padding."""

from __future__ import annotations

import numpy as np

POOL_BATCHES = 50
"""Batches among which samples are sorted by length: more waste less, fewer mix better."""


def bucket_by_length(lengths: np.ndarray, size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Return the length-bucketed batches of an epoch as positions in `lengths`: a pure function of its arguments.

    All samples are shuffled and dealt into pools of `POOL_BATCHES` batches; each pool is sorted by length and cut into
    batches; the batches are shuffled. So every epoch has other batches, and their order says nothing of their lengths.
    Every sample comes once; one batch may be smaller than `size`.
    """
    generator = np.random.Generator(np.random.Philox(key=[seed, epoch]))
    shuffled = generator.permutation(len(lengths))
    batches = [
        batch
        for pool in chunk_rows(shuffled, size * POOL_BATCHES)
        for batch in chunk_rows(_sort_by_length(pool, lengths), size)
    ]
    return [batches[i] for i in generator.permutation(len(batches))]


def _sort_by_length(pool: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    ordered: np.ndarray = pool[np.argsort(lengths[pool], kind="stable")]
    return ordered


def chunk_rows(rows: np.ndarray, size: int) -> list[np.ndarray]:
    """Return rows in parts of a size, of which the last may be smaller."""
    return [rows[i : i + size] for i in range(0, len(rows), size)]
