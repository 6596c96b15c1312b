"""Jigsaw puzzles: the permutation of shuffled tiles. B batch, P permutations, G tiles, N candidates."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from dlx.facts import DataFacts
from dlx.tasks import Learning
from dlx.tasks._ssl.pretext_module import PretextExamples, TilesModule

if TYPE_CHECKING:
    from dlx.tasks.jigsaw import Jigsaw

CANDIDATES = 20_000
"""Permutations that are drawn to choose from; there are 362,880 of nine tiles."""


@cache
def permutations(count: int, length: int) -> tuple[tuple[int, ...], ...]:
    """Return permutations that are far from one another by Hamming distance, beginning with the one that moves
    nothing.
    """
    generator = np.random.Generator(np.random.Philox(key=0))
    candidates_NG = generator.permuted(np.tile(np.arange(length), (CANDIDATES, 1)), axis=1)
    chosen = [np.arange(length)]
    nearest_N, total_N = np.full(CANDIDATES, length), np.zeros(CANDIDATES, dtype=int)
    while len(chosen) < count:
        distance_N = (candidates_NG != chosen[-1]).sum(axis=1)
        nearest_N, total_N = np.minimum(nearest_N, distance_N), total_N + distance_N
        chosen.append(candidates_NG[np.lexsort((total_N, nearest_N))[-1]])
    return tuple(tuple(map(int, permutation)) for permutation in chosen)


class JigsawModule(TilesModule):
    """An encoder of tiles, and a head that predicts by which permutation they were shuffled."""

    task: Jigsaw

    def __init__(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: Jigsaw) -> None:
        super().__init__(networks, facts, learning, task)
        order_PG = torch.tensor(permutations(task.permutations, task.pieces))
        self.register_buffer("order_PG", order_PG, persistent=False)
        self.order_PG: Tensor

    def examples(self, x_BCHW: Tensor, draws_BD: Tensor) -> PretextExamples:
        count = len(self.order_PG)
        label_B = (draws_BD[:, -1] * count).long().clamp(max=count - 1)
        tiles_BGCHW = self.cut(x_BCHW, draws_BD)
        return PretextExamples(tiles_BGCHW.take_along_dim(self.order_PG[label_B][..., None, None, None], 1), label_B)

    def visualize(self, examples: PretextExamples, predicted_Q: Tensor, x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return shuffled tiles, and the same in the places that are predicted."""
        shuffled = self.place(examples.pieces, self.order_PG[:1].expand(len(predicted_Q), -1), x_BCHW)
        return shuffled, self.place(examples.pieces, self.order_PG[predicted_Q], x_BCHW)
