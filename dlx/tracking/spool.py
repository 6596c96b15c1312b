"""The spool: entries that the tracker has not received yet, as JSON lines beside the run, under a file lock.

`tracking.jsonl` exists while a run is under way, and afterward for as long as something in it was not sent. The
process that writes it holds a lock on it, which the system releases however that process ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, BinaryIO

from dlx.files import open_append, read_json, write_atomic
from dlx.run_folders import TRACKING_STATE

SPOOL = "tracking.jsonl"
Entry = dict[str, Any]


@dataclass
class TrackingState:
    """The tracking state of a run: where it is tracked, and how much of it has been sent.

    uri         address of the tracker; values from the environment stay `${env:NAME}`
    token       unique tag of the run, by which one whose creation was not confirmed is found again
    host        the computer that runs it
    status      MLflow's run status
    run_id      MLflow's id, once there is one
    experiment  MLflow's id of the experiment
    creation    what MLflow needs to create the run
    sent_bytes  bytes of the spool that have reached the tracker
    last_steps  the last step of every metric that was sent before the run was resumed
    failure     why it could not be sent, as far as that was said
    """

    uri: str
    token: str
    host: str
    status: str = "RUNNING"
    run_id: str | None = None
    experiment: str | None = None
    creation: Entry = field(default_factory=dict)
    sent_bytes: int = 0
    last_steps: dict[str, int] = field(default_factory=dict)
    failure: str = ""

    def is_sound(self) -> bool:
        """Return whether every value is of its kind: the file may be damaged, or come from anybody."""
        texts = (self.uri, self.token, self.host, self.status, self.run_id or "", self.experiment or "", self.failure)
        times = (self.creation.get("time", 0), self.sent_bytes) if isinstance(self.creation, dict) else ("",)
        return (
            all(isinstance(text, str) for text in texts)
            and all(isinstance(number, int) and 0 <= number < 2**53 for number in times)
            and isinstance(self.last_steps, dict)
        )

    def save(self, folder: Path) -> None:
        """Write the state into the run's folder."""
        write_atomic(folder / TRACKING_STATE, json.dumps(asdict(self)).encode())


def read_state(folder: Path) -> TrackingState | None:
    """Return the tracking state of a run; None where there is none, or none that can be read."""
    try:
        found = read_json(folder / TRACKING_STATE)
        known = {f.name for f in fields(TrackingState)}
        state = TrackingState(**{k: v for k, v in found.items() if k in known})
        return state if state.is_sound() else None
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def is_running(folder: Path) -> bool:
    """Return whether a process still writes the run's spool."""
    try:
        with (folder / SPOOL).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False


class Spool:
    """A run's entries on disk, for the one process that holds their lock."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / SPOOL
        self._file: BinaryIO = open_append(self.path)
        self._mutex = threading.Lock()
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise
        if self.size() and self._read_at(self.size() - 1, 1) != b"\n":
            self._file.write(b"\n")  # the last writer was killed in the middle of a line

    def size(self) -> int:
        """Return the size on disk in bytes."""
        return os.fstat(self._file.fileno()).st_size

    def append(self, entries: Iterable[Entry], durable: bool = False) -> None:
        """Append entries as JSON lines; `durable` waits for fsync."""
        lines = b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)
        with self._mutex:
            self._file.write(lines)
            self._file.flush()
            if durable:
                os.fsync(self._file.fileno())

    def after(self, offset: int) -> list[tuple[int, Entry]]:
        """Return the entries after a byte offset, each with the offset of the next one."""
        with self._mutex:
            content = self._read_at(offset, max(0, self.size() - offset))
        found, place = [], offset
        for line in content.splitlines(keepends=True):
            place += len(line)
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                continue  # half a line of a process that was killed, or none of dlx
            if isinstance(entry, dict):
                found.append((place, entry))
        return found

    def close(self, finished: bool) -> None:
        """Release the lock; delete a spool whose entries have all been sent."""
        if finished:
            self.path.unlink(missing_ok=True)
        self._file.close()

    def _read_at(self, offset: int, count: int) -> bytes:
        self._file.flush()
        return os.pread(self._file.fileno(), count, offset)
