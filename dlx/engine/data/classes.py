"""Class-balanced batches: several samples of each of a few classes, as losses that compare samples need them."""

from __future__ import annotations

import numpy as np


def batch_by_class(
    classes: np.ndarray, num_batches: int, size: int, samples_per_class: int, seed: int, epoch: int
) -> list[np.ndarray]:
    """Return the class-balanced batches of an epoch as positions in `classes`: a pure function of its arguments.

    A batch takes `samples_per_class` samples of `size` / `samples_per_class` classes that are drawn anew, next to one
    another; a class that has fewer gives all. Every class gives its samples in an order of its own, and begins again
    when all have had their turn: how often a sample comes depends on the size of its class.
    """
    generator = np.random.Generator(np.random.Philox(key=[seed, epoch]))
    rows_of = [generator.permutation(np.flatnonzero(classes == c)) for c in np.unique(classes)]
    given = np.zeros(len(rows_of), dtype=int)
    batches = []
    for _ in range(num_batches):
        taken = []
        for c in generator.permutation(len(rows_of))[: size // samples_per_class]:
            turn = given[c] + np.arange(min(samples_per_class, len(rows_of[c])))
            given[c] += len(turn)
            taken.append(rows_of[c][turn % len(rows_of[c])])
        batches.append(np.concatenate(taken))
    return batches
