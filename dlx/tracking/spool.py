"""What is on its way to the tracker, kept beside the run: whole lines, and a lock that says whose they are.

`tracking.jsonl` is there while a run is under way, and afterwards for as long as something in it was not sent. The
process that writes it holds a lock on it, which the system takes back however that process ends.
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

from dlx.files import write_atomic
from dlx.run_folders import TRACKING_STATE

SPOOL = "tracking.jsonl"
Entry = dict[str, Any]


@dataclass
class State:
    """What is known of a run's record.

    uri         where the tracker is; the environment stands in it as `${env:NAME}`
    token       names the run in a tag, so that one whose creation was not confirmed is found again
    run_id      MLflow's id, once there is one
    experiment  MLflow's id of the experiment
    host        the computer that runs it
    opening     what MLflow needs to make the run
    sent        bytes of the spool that have reached the tracker
    last        the last step of every metric that was sent before the run was resumed
    """

    uri: str
    token: str
    host: str
    status: str = "RUNNING"
    run_id: str | None = None
    experiment: str | None = None
    opening: Entry = field(default_factory=dict)
    sent: int = 0
    last: dict[str, int] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write it beside the run."""
        write_atomic(folder / TRACKING_STATE, json.dumps(asdict(self)).encode())


def read_state(folder: Path) -> State | None:
    """Return what is known of a run's record; None where there is none, or none that can be read."""
    try:
        found = json.loads((folder / TRACKING_STATE).read_text())
        known = {f.name for f in fields(State)}
        return State(**{k: v for k, v in found.items() if k in known})
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def is_running(folder: Path) -> bool:
    """Say whether a process still writes the run's record."""
    try:
        with (folder / SPOOL).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False


class Spool:
    """The entries of one run that are on disk, for the one process that holds their lock."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / SPOOL
        self._file: BinaryIO = self.path.open("a+b")
        self._mutex = threading.Lock()
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise
        if self.size() and self._at(self.size() - 1, 1) != b"\n":
            self._file.write(b"\n")  # the last writer was killed in the middle of a line

    def size(self) -> int:
        """Return the bytes on disk."""
        return os.fstat(self._file.fileno()).st_size

    def append(self, entries: Iterable[Entry], durable: bool = False) -> None:
        """Add entries, each a whole line; `durable` waits until they are on the disk itself."""
        lines = b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)
        with self._mutex:
            self._file.write(lines)
            self._file.flush()
            if durable:
                os.fsync(self._file.fileno())

    def after(self, offset: int) -> list[tuple[int, Entry]]:
        """Return the entries from a place on, each with the place where the next one begins."""
        with self._mutex:
            content = self._at(offset, max(0, self.size() - offset))
        found, place = [], offset
        for line in content.splitlines(keepends=True):
            place += len(line)
            try:
                found.append((place, json.loads(line)))
            except ValueError:
                continue  # half a line of a process that was killed
        return found

    def close(self, finished: bool) -> None:
        """Give up the lock; a spool whose entries have all been sent is deleted."""
        if finished:
            self.path.unlink(missing_ok=True)
        self._file.close()

    def _at(self, offset: int, count: int) -> bytes:
        self._file.flush()
        return os.pread(self._file.fileno(), count, offset)
