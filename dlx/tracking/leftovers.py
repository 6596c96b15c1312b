"""What runs have left on disk that nobody needs any more."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dlx.run_folders import run_folders, stage_folders
from dlx.tracking.spool import SPOOL, is_running, read_state

FRESH = 3600  # seconds: a temporary file that is younger may still be in the making


@dataclass(frozen=True)
class Leftover:
    """A file or folder that can go, why, and its size."""

    path: Path
    why: str
    bytes: int

    def delete(self) -> None:
        """Delete it."""
        if self.path.is_dir():
            shutil.rmtree(self.path)
        else:
            self.path.unlink(missing_ok=True)


def leftovers(root: Path, keep: int, days: float) -> list[Leftover]:
    """Return what can go. The newest runs, and those that are young, keep all of their checkpoints.

    Never listed are runs under way, the best checkpoint of a finished run, and what a tracker has not taken.
    """
    folders = [f for f in run_folders(root) if not is_running(f)]
    old = [f for f in folders[: max(0, len(folders) - keep)] if _age(f) >= days * 86400]
    found = [item for folder in folders for part in (folder, *stage_folders(folder)) for item in _half_written(part)]
    found += [item for folder in old for part in (folder, *stage_folders(folder)) for item in _of_run(part)]
    found += [_leftover(p, "a run that never began") for p in _empty(root)]
    found += [_leftover(p, "a database that was never finished") for p in _temporary(root.absolute().parent, ".*.db.*")]
    return found


def _of_run(folder: Path) -> Iterator[Leftover]:
    """Yield what an old run can spare: the checkpoint to resume from, once it has ended."""
    state = read_state(folder)
    checkpoints = folder / "checkpoints"
    if state is None or state.status != "FINISHED" or not (checkpoints / "best.ckpt").exists():
        return
    for path in sorted(checkpoints.iterdir()):
        if not path.name.startswith(("best.ckpt", ".")):
            yield _leftover(path, "the run has ended, and its best checkpoint stays")


def _half_written(folder: Path) -> Iterator[Leftover]:
    for place in (folder, folder / "checkpoints"):
        for path in _temporary(place, ".*"):
            yield _leftover(path, "half a file of a process that was killed")


def _temporary(folder: Path, pattern: str) -> list[Path]:
    return sorted(p for p in folder.glob(f"{pattern}.tmp") if _age(p) > FRESH)


def _empty(root: Path) -> list[Path]:
    """Return directories of runs that died before they were written down."""
    folders = [f for f in root.glob("*/checkpoints") if not (f.parent / "run.json").exists()]
    parents = [f.parent for f in folders if not any(f.iterdir()) and not (f.parent / SPOOL).exists()]
    return sorted(f for f in parents if _age(f) > FRESH)


def _leftover(path: Path, why: str) -> Leftover:
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return Leftover(path, why, sum(p.stat().st_size for p in files))


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime
