"""Files: text read within size limits, and atomic writes: a temporary file, fsync, rename."""

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

MAX_TEXT_BYTES = 64 << 20
MAX_GZIP_RATIO = 100
"""Gzipped text may decompress to so many bytes, or to so many times its own size."""


@contextmanager
def atomic_writer(path: Path) -> Iterator[BinaryIO]:
    """Yield a temporary file in the same folder, which at the end is synced to disk and renamed over the old one."""
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


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file atomically: readers see the old content or the new one, never a part."""
    with atomic_writer(path) as file:
        file.write(content)


@contextmanager
def output_file(path: Path) -> Iterator[None]:
    """Create the folder of an output file. Raises: UsageError if the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def check_suffix(path: Path, endings: Sequence[str], what: str) -> None:
    """Raise UsageError where an output file has a suffix that `what` cannot be written with."""
    if path.suffix not in endings:
        raise UsageError(f"{path}: {what} are written as {', '.join(endings)}")


def write_table(frame: Any, path: Path) -> None:
    """Write a pandas DataFrame by the file's suffix: .csv, .parquet, or else JSON lines. Raises: UsageError."""
    with output_file(path):
        if path.suffix == ".csv":
            frame.to_csv(path, index=False)
        elif path.suffix == ".parquet":
            frame.to_parquet(path, index=False)
        else:
            frame.to_json(path, orient="records", lines=True, force_ascii=False)


def require_file(path: Path) -> None:
    """Raise DataError if the file is absent or empty."""
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty")


def read_text_file(path: Path, encoding: str) -> str:
    """Return the text of a file, gzipped or not. Raises: DataError if it is absent, empty or in another encoding."""
    require_file(path)
    try:
        data = _read_gzip(path) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
    try:
        return data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}:{line}: not {encoding} text; say which with `encoding: latin-1`") from None
    except LookupError:
        raise DataError(f"unknown encoding '{encoding}'") from None


def _read_gzip(path: Path) -> bytes:
    """Return the content of a gzipped file. Raises: DataError if it is larger than text can be: a zip bomb."""
    limit = max(MAX_TEXT_BYTES, MAX_GZIP_RATIO * path.stat().st_size)
    with gzip.open(path) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise DataError(f"{path}: decompresses to more than {limit} bytes: a zip bomb, or not text")
    return data
