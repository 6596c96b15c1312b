"""Training batches in chunks, several for one call of Lightning's loop: as many as need no callback in between.

A chunk is cut by the end of the epoch, by the end of training, and so that it lasts about a tenth of a second: progress
and signals are served between chunks. How batches are chunked changes no result.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from dlx.engine.data.batches import Batches
from dlx.engine.distributed.collectives import all_reduce_min
from dlx.nn.protocols import Batch

TARGET_SECONDS = 0.1  # that a chunk may last
MAX_STEPS_PER_CALL = 256  # whatever a step costs


@dataclass(frozen=True)
class Position:
    """Where training stands: how many epochs are over, batches of the next one, and optimizer steps in all."""

    epoch: int = 0
    batch: int = 0
    step: int = 0


class StepsPerCall:
    """How many steps fit in a chunk, estimated from the time that the last ones took."""

    def __init__(self, at_most: int = MAX_STEPS_PER_CALL) -> None:
        self.at_most = at_most
        self.steps = 1

    def update(self, steps: int, seconds: float) -> None:
        """Learn from a chunk; growth is bounded, so that one lucky measurement does not make the next one long."""
        fitting = int(TARGET_SECONDS * steps / max(seconds, 1e-9))
        self.steps = max(1, min(fitting, 2 * self.steps, self.at_most))


class BatchChunk:
    """Batches that are trained on one after the other; counts those that were taken."""

    __slots__ = ("_stream", "at", "count", "steps_per_call", "taken")

    def __init__(self, at: Position, count: int, stream: Iterator[Batch], steps_per_call: StepsPerCall) -> None:
        self.at, self.count, self.taken = at, count, 0
        self._stream, self.steps_per_call = stream, steps_per_call

    def __iter__(self) -> Iterator[Batch]:
        began = time.perf_counter()
        for batch in islice(self._stream, self.count):
            yield batch
            self.taken += 1
        if self.taken:
            self.steps_per_call.update(self.taken, time.perf_counter() - began)

    @property
    def end(self) -> Position:
        """Where training stands after the batches that were taken."""
        return Position(self.at.epoch, self.at.batch + self.taken, self.at.step + self.taken)


class ChunkLoader:
    """The data loader of the train split: Lightning gets chunks of batches. An epoch may begin in its middle.

    batches  the train split
    steps    optimizer steps of the whole training
    start    where training stands when it begins
    at_most  batches in a chunk
    """

    def __init__(
        self, batches: Batches, steps: int, start: Position | None = None, at_most: int = MAX_STEPS_PER_CALL
    ) -> None:
        self.batches, self.steps, self.next = batches, steps, start or Position()
        self.steps_per_call = StepsPerCall(at_most)
        batches.set_epoch(self.next.epoch)

    @property
    def sampler(self) -> ChunkLoader:
        """Lightning calls `set_epoch` of a loader's sampler."""
        return self

    @property
    def batch_sampler(self) -> None:
        """Lightning asks for it where there is a sampler."""

    def set_epoch(self, epoch: int) -> None:
        """Begin an epoch, unless it is the one in which training began."""
        if epoch != self.next.epoch:
            self.next = Position(epoch, 0, self.next.step)
        self.batches.set_epoch(epoch)

    def __iter__(self) -> Iterator[BatchChunk]:
        at, total = self.next, len(self.batches)
        stream = self.batches.iterate_from(at.batch)
        while True:
            count = max(0, min(all_reduce_min(self.steps_per_call.steps), total - at.batch, self.steps - at.step))
            yield BatchChunk(at, count, stream, self.steps_per_call)  # empty where only a validation was left
            at = Position(at.epoch, at.batch + count, at.step + count)
            self.next = Position(self.next.epoch, self.next.batch, at.step)
            if at.batch >= total or at.step >= self.steps:
                return
