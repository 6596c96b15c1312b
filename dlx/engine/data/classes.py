"""Batches with several samples of each of a few classes."""

from __future__ import annotations

import numpy as np


def by_class(classes: np.ndarray, count: int, size: int, each: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Return so many batches of an epoch as positions in `classes`: a pure function of its arguments.

    A batch takes `each` samples of `size` / `each` classes that are drawn anew, next to one another; a class that has
    fewer gives all. Every class gives its samples in an order of its own, and begins again when all have had their
    turn: how often a sample comes depends on the size of its class.
    """
    generator = np.random.Generator(np.random.Philox(key=[seed, epoch]))
    members = [generator.permutation(np.flatnonzero(classes == c)) for c in np.unique(classes)]
    given = np.zeros(len(members), dtype=int)
    batches = []
    for _ in range(count):
        taken = []
        for c in generator.permutation(len(members))[: size // each]:
            turn = given[c] + np.arange(min(each, len(members[c])))
            given[c] += len(turn)
            taken.append(members[c][turn % len(members[c])])
        batches.append(np.concatenate(taken))
    return batches
