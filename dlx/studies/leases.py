"""Leases: who trains a trial, and whether that process is still there.

A worker is known by host, process and a random part. On its own host it is alive as long as its process is; from
elsewhere, as long as it touches its file in the study's folder.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from pathlib import Path

from dlx.files import touch

WORKERS = "workers"
BEAT_SECONDS = 5.0
PATIENCE_SECONDS = 60.0
"""How long a worker on another machine may be silent; clocks of the machines may differ by less than this."""


class Lease:
    """The presence of this process in a study, renewed by a thread as long as it is held."""

    def __init__(self, folder: Path) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}:{_start_time(os.getpid())}:{secrets.token_hex(3)}"
        self._path = folder / WORKERS / self.name.replace(":", "_")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> Lease:
        self._path.parent.mkdir(exist_ok=True)
        touch(self._path)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._path.unlink(missing_ok=True)

    def _renew(self) -> None:
        while not self._over.wait(BEAT_SECONDS):
            touch(self._path)


def is_alive(folder: Path, worker: str) -> bool:
    """Say whether the process that a worker's name stands for still trains."""
    host, pid, began, _ = worker.split(":")
    if host == socket.gethostname():
        return _start_time(int(pid)) == began
    try:
        silent = time.time() - (folder / WORKERS / worker.replace(":", "_")).stat().st_mtime
    except OSError:
        return False
    return silent < PATIENCE_SECONDS


def _start_time(pid: int) -> str:
    """Return when a process began, as the kernel counts it, so that a new process of the same number is another; ""
    where there is none.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "" if Path("/proc").exists() else str(_process_exists(pid))
    return "" if fields[0] == "Z" else fields[19]


def _process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
