"""Synchronization: sends what runs whose process is gone have left unsent, and marks them as KILLED."""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dlx.errors import UsageError
from dlx.notices import dlx_command
from dlx.run_folders import STUDY, run_name
from dlx.tracking.delivery import ForeignEntryError, OnRefused, TrackerClient, error_summary, group_entries
from dlx.tracking.names import valid_name
from dlx.tracking.spool import SPOOL, Entry, Spool, TrackingState, read_state


@dataclass(frozen=True)
class SyncFailure:
    """Why the tracking data of a run could not be sent completely."""

    folder: Path
    why: str
    is_new: bool = True
    """Whether it was not said before."""

    def __str__(self) -> str:
        give_up = dlx_command("runs", "--discard", self.folder.name)
        return f"{run_name(self.folder)} is not completely tracked: {self.why}. To give it up: {give_up}"


def unsent_runs(root: Path) -> list[Path]:
    """Return the folders of runs that are under way or not completely sent, a run before its stages."""
    return sorted(f.parent for pattern in ("*", "*/*") for f in root.glob(f"{pattern}/{SPOOL}"))


def mark_killed(folder: Path) -> bool:
    """Mark a run as KILLED if its process is gone without having ended the run; return whether it was.

    A run of another computer is left alone, as its process cannot be seen from here.
    """
    state = read_state(folder)
    if state is None or state.status != "RUNNING" or state.host != socket.gethostname():
        return False
    try:
        spool = Spool(folder)
    except OSError:  # locked: the run is alive, or another process marks it at this moment
        return False
    spool.append([{"kind": "end", "status": "KILLED", "time": _last_write_ms(folder)}], durable=True)
    state.status = "KILLED"
    state.save(folder)
    spool.close(finished=False)
    return True


def sync_runs(root: Path, seconds: float | None = None, uri: str | None = None) -> list[SyncFailure]:
    """Send what runs have left unsent, to one tracker or to all, and return what could not be sent.

    With a limit in seconds, no further run is started after it.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    unreachable: dict[str, str] = {}
    failures = []
    for folder in unsent_runs(root):
        mark_killed(folder)
        state = read_state(folder)
        if state is None or state.status == "RUNNING" or uri not in (None, state.uri):
            continue
        why = unreachable.get(state.uri)
        if deadline is not None and time.monotonic() > deadline:
            why = why or "there was no time for it"
        why = why or _send_run(folder, state, unreachable)
        if why:
            failures.append(_remember(folder, state, why))
    return failures


def _remember(folder: Path, state: TrackingState, why: str) -> SyncFailure:
    """Return why a run could not be sent, which is kept beside it, so that it is said once."""
    is_new, state.failure = state.failure != why, why
    if is_new and (folder / SPOOL).exists():
        with suppress(OSError):
            state.save(folder)
    return SyncFailure(folder, why, is_new)


def discard_unsent(folder: Path) -> bool:
    """Give up what a run has not sent, and return whether there was anything. Raises: UsageError while it runs."""
    if not (folder / SPOOL).exists():
        return False
    mark_killed(folder)
    try:
        Spool(folder).close(finished=True)
    except OSError:
        raise UsageError(f"{run_name(folder)} is under way, or is being sent") from None
    return True


def _send_run(folder: Path, state: TrackingState, unreachable: dict[str, str]) -> str | None:
    """Send one run's spool; return the reason if not all of it arrived."""
    try:
        spool = Spool(folder)
    except OSError:
        return None  # another process is sending it
    refused: list[str] = []
    try:
        client = TrackerClient(state)
        check = partial(require_own_files, folder=folder)
        send_spool(spool, client, folder, lambda entry, error: refused.append(error_summary(error)), check)
    except Exception as error:  # whatever the tracker does is reported, and tried again later
        unreachable[state.uri] = error_summary(error, state.uri)
        spool.close(finished=False)
        return unreachable[state.uri]
    state.sent_bytes = 0
    state.save(folder)
    spool.close(finished=True)
    return refused[0] if refused else None


def add_to_run(folder: Path, metrics: Mapping[str, float], files: Sequence[Path], place: str) -> str | None:
    """Log metrics and files with a run that has ended; return why they have not arrived yet, if so.

    Files outside of its directory are left out. What is not sent waits in its spool: `dlx runs --sync` sends it later.
    """
    state = read_state(folder)
    if state is None:
        return "the run was never tracked"
    now = int(1000 * time.time())
    points = [[valid_name(name), value, now, 0] for name, value in metrics.items() if math.isfinite(value)]
    entries: list[Entry] = [{"kind": "metrics", "points": points}]
    entries += [
        {"kind": "file", "path": str(path.absolute()), "folder": place} for path in files if path.is_relative_to(folder)
    ]
    try:
        spool = Spool(folder)
    except OSError:
        return "another process writes its record"
    spool.append(entries, durable=True)
    spool.close(finished=False)
    return _send_run(folder, state, {})


def send_spool(
    spool: Spool,
    client: TrackerClient,
    folder: Path,
    on_refused: OnRefused,
    check: Callable[[Entry], None] = lambda _: None,
) -> None:
    """Send every entry of a spool that passes a check, and save how many bytes were sent.

    Raises: whatever the tracker does.
    """
    state, client.is_retry = client.state, True
    if state.sent_bytes > spool.size():
        state.sent_bytes = 0
    client.connect()
    try:
        waiting = spool.after(state.sent_bytes)
        places = iter([place for place, _ in waiting])
        for group in group_entries([entry for _, entry in waiting]):
            allowed = [entry for entry in group if _passes(entry, check, on_refused)]
            if allowed:
                client.send_group(allowed, on_refused)
            state.sent_bytes = [next(places) for _ in group][-1]
    finally:
        state.save(folder)


def _passes(entry: Entry, check: Callable[[Entry], None], on_refused: OnRefused) -> bool:
    """Return whether an entry may be sent."""
    try:
        check(entry)
    except ForeignEntryError as error:
        on_refused(entry, error)
        return False
    return True


def require_own_files(entry: Entry, folder: Path) -> None:
    """Raise ForeignEntryError if an entry of a run on disk names a file that is not the run's, or its study's, own."""
    whole = folder.parent if (folder.parent / STUDY).exists() else folder
    path = entry.get("path")
    if path is not None and not Path(str(path)).resolve().is_relative_to(whole.resolve()):
        raise ForeignEntryError(f"{path} is no file of {folder}")


def _last_write_ms(folder: Path) -> int:
    """Return when the run last wrote a file, in milliseconds since the epoch."""
    files = [folder, folder / SPOOL, *folder.glob("checkpoints/*.ckpt")]
    return int(1000 * max(f.stat().st_mtime for f in files if f.exists()))
