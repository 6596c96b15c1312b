"""The journal of a study: one line for everything that happened to a trial; what a study is, is read from it.

Several processes, also on other machines that share the folder, append to it under a lock. A line that was cut off when
its writer was killed is dropped: nothing that is in the journal is ever changed.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

from dlx.files import append_synced
from dlx.search_space import Params

JOURNAL = "journal.jsonl"
Status = Literal["running", "paused", "finished", "failed"]


@dataclass
class Trial:
    """A trial as the journal has it.

    values   the metric that is searched for, by how many rungs were passed; the last entry is the newest
    worker   who trains it, while it is running
    reason   why it failed
    seconds  spent in training
    """

    number: int
    params: Params
    status: Status = "running"
    values: dict[int, float] = field(default_factory=dict)
    worker: str | None = None
    reason: str = ""
    seconds: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def rungs(self) -> int:
        """How many rungs it has passed."""
        return len(self.values)

    @property
    def value(self) -> float | None:
        """What came of it so far."""
        return list(self.values.values())[-1] if self.values else None


def read_trials(lines: Iterable[Mapping[str, Any]]) -> dict[int, Trial]:
    """Return every trial by its number, as the events of a journal leave it."""
    trials: dict[int, Trial] = {}
    for event in lines:
        number, what = event["trial"], event["event"]
        if what == "begin":
            trials[number] = Trial(number, event["params"], worker=event["worker"])
            continue
        trial = trials[number]
        if what == "continue":
            trial.status, trial.worker = "running", event["worker"]
            continue
        trial.worker = None
        trial.seconds += event.get("seconds", 0.0)
        if what == "fail":
            trial.status, trial.reason = "failed", event["reason"]
            continue
        trial.status = "paused" if what == "pause" else "finished"
        trial.values[len(trial.values)] = event["value"]
        trial.metrics = event.get("metrics", {})
    return trials


class Journal:
    """The journal in the folder of a study."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL
        self._lock = FileLock(folder / f".{JOURNAL}.lock")

    def read(self) -> dict[int, Trial]:
        """Return the trials as they are now."""
        return read_trials(self._events())

    @contextmanager
    def transaction(self) -> Iterator[dict[int, Trial]]:
        """Hold the journal: what is read in it is still so when something is appended."""
        with self._lock:
            self._drop_torn_line()
            yield self.read()

    def append(self, event: str, trial: int, **fields: Any) -> None:
        """Add an event, inside of a transaction; it is on disk when this returns."""
        line = json.dumps({"event": event, "trial": trial, **fields, "time": time.time()}) + "\n"
        append_synced(self.path, line.encode())

    def _events(self) -> list[dict[str, Any]]:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        *lines, _torn = content.split(b"\n")
        return [json.loads(line) for line in lines]

    def _drop_torn_line(self) -> None:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return
        end = content.rfind(b"\n") + 1
        if end < len(content):
            os.truncate(self.path, end)
