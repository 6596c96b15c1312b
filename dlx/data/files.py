"""Writing a file so that it is there whole or not at all, or where a person asked for it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from dlx.errors import UsageError


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """Give a temporary file in the same folder, which at the end is flushed to disk and renamed over the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all."""
    with whole(path) as file:
        file.write(content)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Make the folder of a file that a person asked for. Raises: UsageError if the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def refuse_unless(path: Path, endings: Sequence[str], what: str) -> None:
    """Raise UsageError where a file that a person asked for has another ending than `what` is written with."""
    if path.suffix not in endings:
        raise UsageError(f"{path}: {what} are written as {', '.join(endings)}")


def write_table(frame: Any, path: Path) -> None:
    """Write a pandas DataFrame as the file's name says: .csv, .parquet, or else lines of JSON. Raises: UsageError."""
    with writing(path):
        if path.suffix == ".csv":
            frame.to_csv(path, index=False)
        elif path.suffix == ".parquet":
            frame.to_parquet(path, index=False)
        else:
            frame.to_json(path, orient="records", lines=True, force_ascii=False)
