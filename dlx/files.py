"""Files: text read within size limits, and atomic writes: a temporary file, fsync, rename."""

from __future__ import annotations

import codecs
import gzip
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from dlx.errors import DataError, UsageError
from dlx.os_errors import os_message, os_reason

MAX_TEXT_BYTES = 64 << 20
MAX_GZIP_RATIO = 100
"""Gzipped text may decompress to so many bytes, or to so many times its own size."""
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Longer marks first: that of UTF-32 begins as UTF-16's does."""


def cache_folder() -> Path:
    """Return the folder of what can be computed again: `$DLX_CACHE`, or the user's cache directory."""
    from platformdirs import user_cache_path

    return Path(os.environ["DLX_CACHE"]) if "DLX_CACHE" in os.environ else user_cache_path("dlx")


def path_from(base: Path, text: str) -> Path:
    """Return the path that a recipe in the folder `base` means by a text; `~` is the user's home.

    Raises: DataError if it can be no path: `~name` without a home, a NUL byte, more characters than a path has.
    """
    if "\0" in text:
        raise DataError(f"{text!r} holds a NUL byte, so it is no path")
    try:
        path = base / Path(text).expanduser()
        path.exists()
    except RuntimeError:
        raise DataError(f"{text}: no home folder of that user is known; write the whole path") from None
    except OSError as error:
        raise DataError(os_message(error, text)) from None
    return path


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


def save_figure(figure: Any, path: Path, dpi: float | str = "figure") -> None:
    """Save a matplotlib figure in the format of the file's suffix.

    A bitmap at the figure's own resolution is drawn by its canvas: `savefig` would first draw it for its layout.
    """
    with atomic_writer(path) as file:
        if path.suffix == ".png" and dpi in ("figure", figure.dpi):
            figure.canvas.print_png(file)
        else:
            figure.savefig(file, format=path.suffix.removeprefix("."), dpi=dpi)


def save_figures(figures: Mapping[str, Any], folder: Path, dpi: float | str = "figure") -> dict[str, Path]:
    """Save matplotlib figures as PNG in a directory, each under its name; return where they are."""
    paths = {name: folder / f"{name}.png" for name in figures}
    for name, path in paths.items():
        save_figure(figures[name], path, dpi)
    return paths


def save_array(path: Path, array: Any) -> None:
    """Save an array as .npy."""
    import numpy as np

    with atomic_writer(path) as file:
        np.save(file, array)


def save_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Save arrays by name as .npz."""
    import numpy as np

    with atomic_writer(path) as file:
        np.savez(file, **arrays)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file atomically."""
    with source.open("rb") as content, atomic_writer(target) as file:
        shutil.copyfileobj(content, file)


def link_file(source: Path, target: Path) -> None:
    """Give a file a second name, which must not exist yet. Raises: FileExistsError if it does; OSError where the file
    system has no hard links.
    """
    os.link(source, target)


def append_synced(path: Path, content: bytes) -> None:
    """Append to a file; the content is on disk when this returns."""
    with path.open("ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def open_append(path: Path) -> BinaryIO:
    """Open a file that is kept open, to append to it and to read it."""
    return path.open("a+b")


def create_file(path: Path) -> BinaryIO:
    """Open a file that must not exist yet, to write it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("xb")


def touch(path: Path) -> None:
    """Create an empty file, or set the time of one that exists."""
    path.touch()


@contextmanager
def output_file(path: Path) -> Iterator[None]:
    """Create the folder of an output file. Raises: UsageError if the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {os_reason(error)}") from None


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
    """Return the text of a file, gzipped or not. Raises: DataError if it is absent, empty or in another encoding.

    A byte order mark says what a file is: UTF-16 and UTF-32 with one are read without being asked for.
    """
    require_file(path)
    try:
        data = _read_gzip(path) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
    marked = _marked_encoding(data)
    if marked and encoding.lower() in ("utf-8", "utf8"):
        encoding = marked
    if marked and not _same_encoding(marked, encoding):
        raise DataError(
            f"{path}: begins with the byte order mark of {marked}: say `encoding: {marked}`, not {encoding}"
        )
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        likely = _likely_encoding(data)
        raise DataError(f"{path}:{line}: not {encoding} text; it may be {likely}: `encoding: {likely}`") from None
    except LookupError:
        raise DataError(f"unknown encoding '{encoding}'") from None


def read_json(path: Path) -> Any:
    """Return the content of a JSON file, which may come from anybody.

    Raises: OSError; ValueError if it is no JSON, larger than a record can be, or nested too deep.
    """
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise ValueError(f"it has more than {MAX_TEXT_BYTES:,} bytes")
    try:
        return json.loads(path.read_bytes())
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def split_lines(text: str) -> list[str]:
    r"""Return the lines of a text, which end with \n or \r\n alone.

    `str.splitlines` also breaks at U+2028, U+0085, form feeds and others, which may stand inside a line.
    """
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return lines[:-1] if lines[-1] == "" else lines


def _marked_encoding(data: bytes) -> str:
    """Return the encoding that a byte order mark names, "" where there is none."""
    return next((name for mark, name in BYTE_ORDER_MARKS if data.startswith(mark)), "")


def _same_encoding(one: str, other: str) -> bool:
    """Say whether two names are of one encoding, whatever the byte order."""
    names = [name.lower().replace("_", "-").replace("utf-8-sig", "utf-8") for name in (one, other)]
    return len({name.removesuffix("-le").removesuffix("-be") for name in names}) == 1


def _likely_encoding(data: bytes) -> str:
    """Return the encoding that bytes which are no UTF-8 are probably in."""
    if data[1:200:2].count(0) > len(data[1:200:2]) // 2:
        return "utf-16-le"
    if data[0:200:2].count(0) > len(data[0:200:2]) // 2:
        return "utf-16-be"
    return "cp1252" if any(0x80 <= byte <= 0x9F for byte in data[:MAX_TEXT_BYTES]) else "latin-1"


def _read_gzip(path: Path) -> bytes:
    """Return the content of a gzipped file. Raises: DataError if it is larger than text can be: a zip bomb."""
    limit = max(MAX_TEXT_BYTES, MAX_GZIP_RATIO * path.stat().st_size)
    with gzip.open(path) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise DataError(f"{path}: decompresses to more than {limit} bytes: a zip bomb, or not text")
    return data
