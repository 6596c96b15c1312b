"""The files that inference reads and writes, by their names. Torch-free: what is wrong with them is said at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dlx.errors import UsageError
from dlx.files import check_suffix

EMBEDDING_SUFFIXES = (".parquet", ".csv", ".npz")
FIGURE_SUFFIXES, ARRAY_SUFFIXES = (".png", ".svg", ".pdf"), (".npz", ".npy")


def input_files(inputs: Sequence[Path]) -> list[Path]:
    """Return the files that are named, and those in folders. Raises: UsageError where there is none."""
    found: list[Path] = []
    for path in inputs:
        if not path.exists():
            raise UsageError(f"there is no input {path}")
        inside = (
            sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
            if path.is_dir()
            else [path]
        )
        if not inside:
            raise UsageError(f"the folder {path} is empty")
        found += inside
    if not found:
        raise UsageError("name at least one file or folder to predict")
    return found


def check_data(path: Path) -> None:
    """Raise UsageError if there is no such file or folder to evaluate on."""
    if not path.exists():
        raise UsageError(f"there is no file or folder {path} to evaluate on")


def check_embedding_file(path: Path) -> None:
    """Raise UsageError if embeddings are not written as such a file."""
    check_suffix(path, EMBEDDING_SUFFIXES, "embeddings")


def check_sample_file(path: Path) -> None:
    """Raise UsageError if samples are not written as such a file."""
    check_suffix(path, (*FIGURE_SUFFIXES, *ARRAY_SUFFIXES), "samples")
