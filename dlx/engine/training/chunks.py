"""Training batches, several at a time: as many as nothing needs to look in between.

A burst is cut by the end of the epoch, by the end of training, and so that it lasts about a tenth of a second: progress
and signals are served between bursts. How batches are grouped changes no result.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from dlx.engine.data.batches import Batch, Batches
from dlx.engine.distributed.collectives import all_reduce_min

SECONDS = 0.1  # that a burst may last
MOST = 256  # batches in a burst, whatever they cost


@dataclass(frozen=True)
class Position:
    """Where training stands: how many epochs are over, batches of the next one, and optimizer steps in all."""

    epoch: int = 0
    batch: int = 0
    step: int = 0


class Pace:
    """How many batches fit in a burst, from what the last ones took."""

    def __init__(self, at_most: int = MOST) -> None:
        self.at_most = at_most
        self.batches = 1

    def note(self, batches: int, seconds: float) -> None:
        """Learn from a burst; growth is bounded, so that one lucky measurement does not make the next burst long."""
        fitting = int(SECONDS * batches / max(seconds, 1e-9))
        self.batches = max(1, min(fitting, 2 * self.batches, self.at_most))


class Burst:
    """Batches that are trained on one after the other; counts those that were taken."""

    __slots__ = ("_pace", "_stream", "at", "count", "taken")

    def __init__(self, at: Position, count: int, stream: Iterator[Batch], pace: Pace) -> None:
        self.at, self.count, self.taken = at, count, 0
        self._stream, self._pace = stream, pace

    def __iter__(self) -> Iterator[Batch]:
        began = time.perf_counter()
        for batch in islice(self._stream, self.count):
            yield batch
            self.taken += 1
        if self.taken:
            self._pace.note(self.taken, time.perf_counter() - began)

    @property
    def end(self) -> Position:
        """Where training stands after the batches that were taken."""
        return Position(self.at.epoch, self.at.batch + self.taken, self.at.step + self.taken)


class Bursts:
    """The training split as Lightning iterates over it. It has no length: an epoch may begin in its middle.

    batches  the train split
    steps    optimizer steps of the whole training
    start    where training stands when it begins
    """

    def __init__(self, batches: Batches, steps: int, start: Position | None = None, at_most: int = MOST) -> None:
        self.batches, self.steps, self.next = batches, steps, start or Position()
        self.pace = Pace(at_most)
        batches.set_epoch(self.next.epoch)

    @property
    def sampler(self) -> Bursts:
        """Lightning tells the epoch to `sampler.set_epoch`."""
        return self

    @property
    def batch_sampler(self) -> None:
        """Lightning asks for it where there is a sampler."""

    def set_epoch(self, epoch: int) -> None:
        """Begin an epoch, unless it is the one in which training began."""
        if epoch != self.next.epoch:
            self.next = Position(epoch, 0, self.next.step)
        self.batches.set_epoch(epoch)

    def __iter__(self) -> Iterator[Burst]:
        at, total = self.next, len(self.batches)
        stream = self.batches.from_batch(at.batch)
        while True:
            count = max(0, min(all_reduce_min(self.pace.batches), total - at.batch, self.steps - at.step))
            yield Burst(at, count, stream, self.pace)  # empty where an epoch was over but for its validation
            at = Position(at.epoch, at.batch + count, at.step + count)
            self.next = Position(self.next.epoch, self.next.batch, at.step)
            if at.batch >= total or at.step >= self.steps:
                return
