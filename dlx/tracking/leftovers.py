"""Garbage collection: files of runs that are no longer needed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dlx.run_folders import run_folders, stage_folders
from dlx.tracking.spool import SPOOL, is_running, read_state

MIN_AGE_SECONDS = 3600  # a younger temporary file may still be written


@dataclass(frozen=True)
class Leftover:
    """A file or folder that can be deleted, the reason, and its size."""

    path: Path
    why: str
    bytes: int

    def delete(self) -> None:
        """Delete it; of a symbolic link only the link. Raises: OSError."""
        if self.path.is_dir() and not self.path.is_symlink():
            shutil.rmtree(self.path)
        else:
            self.path.unlink(missing_ok=True)


def find_leftovers(root: Path, keep: int, days: float) -> list[Leftover]:
    """Return what can be deleted. The newest runs, and those younger than some days, keep all of their checkpoints.

    Never listed are runs under way, the best checkpoint of a finished run, and what a tracker has not received.
    """
    folders = [f for f in run_folders(root) if not f.is_symlink() and not is_running(f)]
    old = [f for f in folders[: max(0, len(folders) - keep)] if _age_seconds(f) >= days * 86400]
    found = [item for folder in folders for part in _with_stages(folder) for item in _unfinished_files(part)]
    found += [item for folder in old for part in _with_stages(folder) for item in _spare_checkpoints(part)]
    found += [_leftover(p, "a run that never began") for p in _empty_runs(root)]
    found += [_leftover(p, "a symbolic link that leads nowhere") for p in _dead_links(root)]
    databases = _temporary_files(root.absolute().parent, ".*.db.*")
    return found + [_leftover(p, "a database that was never finished") for p in databases]


def _with_stages(folder: Path) -> list[Path]:
    return [folder, *stage_folders(folder)]


def _spare_checkpoints(folder: Path) -> Iterator[Leftover]:
    """Yield the checkpoints of a finished run other than the best one."""
    state = read_state(folder)
    checkpoints = folder / "checkpoints"
    if state is None or state.status != "FINISHED" or not (checkpoints / "best.ckpt").exists():
        return
    if checkpoints.is_symlink():
        return
    for path in sorted(checkpoints.iterdir()):
        if not path.name.startswith(("best.ckpt", ".")):
            yield _leftover(path, "a checkpoint to resume from; the run has ended, and its best checkpoint stays")


def _unfinished_files(folder: Path) -> Iterator[Leftover]:
    for place in (p for p in (folder, folder / "checkpoints") if not p.is_symlink()):
        for path in _temporary_files(place, ".*"):
            yield _leftover(path, "an incomplete file of a process that was killed")


def _temporary_files(folder: Path, pattern: str) -> list[Path]:
    return sorted(p for p in folder.glob(f"{pattern}.tmp") if _age_seconds(p) > MIN_AGE_SECONDS)


def _empty_runs(root: Path) -> list[Path]:
    """Return folders of runs that were killed before their first file was written."""
    folders = [f for f in root.glob("*/checkpoints") if not (f.parent / "run.json").exists()]
    parents = [f.parent for f in folders if not any(f.iterdir()) and not (f.parent / SPOOL).exists()]
    return sorted(f for f in parents if _age_seconds(f) > MIN_AGE_SECONDS)


def _dead_links(root: Path) -> list[Path]:
    return sorted(p for p in root.glob("*") if p.is_symlink() and not p.exists() and _age_seconds(p) > MIN_AGE_SECONDS)


def _leftover(path: Path, why: str) -> Leftover:
    """Describe a file, folder or link; links are never followed."""
    inside = path.is_dir() and not path.is_symlink()
    return Leftover(
        path, why, sum(p.lstat().st_size for p in (path.rglob("*") if inside else [path]) if not p.is_dir())
    )


def _age_seconds(path: Path) -> float:
    return time.time() - path.lstat().st_mtime
