"""Runs whose process is gone: what they left unsent reaches the tracker, and none of them stays RUNNING."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dlx.run_folders import run_name
from dlx.tracking.delivery import Delivery, is_lost, reason
from dlx.tracking.spool import SPOOL, Entry, Spool, State, read_state

Lost = Callable[[Entry, Exception], None]


@dataclass(frozen=True)
class Trouble:
    """Why a run's record could not be sent, or not all of it."""

    folder: Path
    why: str

    def __str__(self) -> str:
        return f"the record of {run_name(self.folder)} is not all sent: {self.why}"


def waiting(root: Path) -> list[Path]:
    """Return the directories of runs that are under way or whose record was not sent: a whole one before its stages."""
    return sorted(f.parent for pattern in ("*", "*/*") for f in root.glob(f"{pattern}/{SPOOL}"))


def bury(folder: Path) -> bool:
    """Mark a run whose process is gone without a word as KILLED; return whether it was one.

    A run of another computer is left alone: whether it lives cannot be seen from here.
    """
    state = read_state(folder)
    if state is None or state.status != "RUNNING" or state.host != socket.gethostname():
        return False
    try:
        spool = Spool(folder)
    except OSError:  # somebody writes it: the run is alive, or another process does this very thing
        return False
    spool.append([{"kind": "end", "status": "KILLED", "time": _last_sign(folder)}], durable=True)
    state.status = "KILLED"
    state.save(folder)
    spool.close(finished=False)
    return True


def sync(root: Path, seconds: float | None = None, uri: str | None = None) -> list[Trouble]:
    """Send what runs have left, to one tracker or to all, and return what could not be sent.

    After some seconds no other run is begun, if a limit is given.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    unreachable: dict[str, str] = {}
    troubles = []
    for folder in waiting(root):
        bury(folder)
        state = read_state(folder)
        if state is None or state.status == "RUNNING" or uri not in (None, state.uri):
            continue
        why = unreachable.get(state.uri)
        if deadline is not None and time.monotonic() > deadline:
            why = why or "there was no time for it"
        why = why or _send(folder, state, unreachable)
        if why:
            troubles.append(Trouble(folder, why))
    return troubles


def _send(folder: Path, state: State, unreachable: dict[str, str]) -> str | None:
    """Send one run's spool; return why not all of it arrived."""
    try:
        spool = Spool(folder)
    except OSError:
        return None  # another process is at it
    lost: list[str] = []
    try:
        drain(spool, Delivery(state), folder, lambda entry, error: lost.append(reason(error)))
    except Exception as error:  # whatever a tracker does, it is said and tried again later
        unreachable[state.uri] = reason(error)
        spool.close(finished=False)
        return unreachable[state.uri]
    state.sent = 0
    state.save(folder)
    spool.close(finished=True)
    return lost[0] if lost else None


def drain(spool: Spool, delivery: Delivery, folder: Path, lost: Lost) -> None:
    """Send every entry of a spool, and remember how far it came. Raises: whatever the tracker does."""
    state, delivery.again = delivery.state, True
    if state.sent > spool.size():
        state.sent = 0
    delivery.connect()
    try:
        for place, entry in spool.after(state.sent):
            try:
                delivery.send(entry)
            except Exception as error:
                if not is_lost(error):
                    raise
                lost(entry, error)
            state.sent = place
    finally:
        state.save(folder)


def _last_sign(folder: Path) -> int:
    """Return when the run was last seen to write something, in milliseconds."""
    files = [folder, folder / SPOOL, *folder.glob("checkpoints/*.ckpt")]
    return int(1000 * max(f.stat().st_mtime for f in files if f.exists()))
