"""Files: text read within bounds; files written so that they are there whole or not at all."""

from __future__ import annotations

import gzip
import os
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from dlx.errors import DataError, UsageError

UNZIPPED = 64 << 20
RATIO = 100
"""Gzipped text may unpack to so many bytes, or to so many for each of its own."""


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


def require_file(path: Path) -> None:
    """Raise DataError where there is no such file, or nothing in it."""
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty")


def text_of(path: Path, encoding: str) -> str:
    """Return what is in a text file, gzipped or not. Raises: DataError if it is absent, empty or not such text."""
    require_file(path)
    try:
        data = _unzipped(path) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
    try:
        return data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}:{line}: not {encoding} text; say which with `encoding: latin-1`") from None
    except LookupError:
        raise DataError(f"unknown encoding '{encoding}'") from None


def _unzipped(path: Path) -> bytes:
    """Return what is in a gzipped file, unless it grows beyond what text does."""
    limit = max(UNZIPPED, RATIO * path.stat().st_size)
    with gzip.open(path) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise DataError(f"{path}: unpacks to more than {limit} bytes: a bomb, or not the data that were meant")
    return data
