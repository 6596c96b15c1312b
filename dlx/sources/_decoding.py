"""Files decoded once: images and audio become arrays in a file of the cache, which later commands map into memory.

Processes of their own decode, with a progress bar; each runs this module as a program, so that nothing of the program
that asks is imported again. The cache is named after all files, their sizes and times, and how they are decoded.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx.console import new_console, say
from dlx.errors import DataError
from dlx.files import cache_folder, write_atomic
from dlx.machine import processors
from dlx.sources._audio import decode_audio
from dlx.sources._images import decode, decode_mask, map_files

if TYPE_CHECKING:
    import numpy as np

DECODERS: Mapping[str, Callable[..., Any]] = {"image": decode, "mask": decode_mask, "audio": decode_audio}
VERSION = 1
"""To be raised when a decoder gives other numbers."""
FEW = 500
"""Files that are decoded here: for fewer, a process is not worth its start, nor a cache its place."""
CHUNK = 64
"""Files after which a process says how far it is."""
KEPT_BYTES = 20 << 30
"""All decoded files of the cache together: the oldest go."""


@dataclass(frozen=True)
class Decoder:
    """How files become arrays of one shape: the name of a decoder, and what it is told."""

    name: str
    options: Mapping[str, Any]
    shape: tuple[int, ...]
    dtype: str = "uint8"

    def __call__(self, path: Path) -> np.ndarray:
        """Decode one file. Raises: DataError."""
        array: np.ndarray = DECODERS[self.name](path, **self.options)
        return array


@dataclass(frozen=True)
class DecodedFiles:
    """Arrays of all files that could be decoded, their indices among all, and why the others could not be."""

    arrays: Any
    good: list[int]
    problems: list[str]

    def of(self, files: Sequence[int]) -> Any:
        """Return the arrays of some files that could be decoded, by their indices among all."""
        import numpy as np

        return self.arrays if list(files) == self.good else self.arrays[np.searchsorted(self.good, files)]


def decode_files(decoder: Decoder, paths: Sequence[Path]) -> DecodedFiles:
    """Decode files, or map what was decoded before."""
    if len(paths) < FEW:
        return _decode_serially(decoder, paths)
    folder = cache_folder() / "decoded"
    file = folder / f"{_key(decoder, paths)}.npy"
    try:
        return _memory_map(file, len(paths))
    except (OSError, ValueError, KeyError):
        pass  # not there, or damaged: decoded anew
    try:
        folder.mkdir(parents=True, exist_ok=True)
        found = _decode_into(file, decoder, paths)
        _evict_oldest(folder, file)
        return found
    except OSError:  # a cache that cannot be written is no reason to stop
        return _decode_serially(decoder, paths)


def _decode_serially(decoder: Decoder, paths: Sequence[Path]) -> DecodedFiles:
    import numpy as np

    arrays, problems = map_files(decoder, paths)
    stacked = np.stack(list(arrays.values())) if arrays else np.empty((0, *decoder.shape), decoder.dtype)
    return DecodedFiles(stacked, list(arrays), problems)


def _key(decoder: Decoder, paths: Sequence[Path]) -> str:
    files = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    text = json.dumps([VERSION, decoder.name, dict(decoder.options), decoder.shape, decoder.dtype, files])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _memory_map(file: Path, count: int) -> DecodedFiles:
    """Return what was decoded before. Raises: OSError, ValueError or KeyError if it is not there whole."""
    import numpy as np

    bad = {int(row): str(reason) for row, reason in json.loads(file.with_suffix(".json").read_text())["bad"].items()}
    arrays = np.load(file, mmap_mode="c")
    if len(arrays) != count:
        raise ValueError(f"{file} holds {len(arrays)} arrays, not {count}")
    os.utime(file)  # the oldest by use are removed first
    return _drop_undecodable(arrays, bad)


def _drop_undecodable(arrays: np.ndarray, bad: Mapping[int, str]) -> DecodedFiles:
    good = [row for row in range(len(arrays)) if row not in bad]
    return DecodedFiles(arrays if not bad else arrays[good], good, [bad[row] for row in sorted(bad)])


def _decode_into(file: Path, decoder: Decoder, paths: Sequence[Path]) -> DecodedFiles:
    """Decode all files into one of the cache, which appears whole, and return it mapped."""
    import numpy as np

    scratch = file.with_name(f".{file.stem}-{os.getpid()}.npy")
    try:
        np.lib.format.open_memmap(scratch, "w+", decoder.dtype, (len(paths), *decoder.shape)).flush()
        bad = _decode_in_processes(scratch, decoder, paths)
        write_atomic(file.with_suffix(".json"), json.dumps({"bad": bad}).encode())
        scratch.replace(file)
    finally:
        scratch.unlink(missing_ok=True)
    return _memory_map(file, len(paths))


def _decode_in_processes(file: Path, decoder: Decoder, paths: Sequence[Path]) -> dict[int, str]:
    """Let processes decode, each its share of the files; what one of them left undone is done here."""
    import numpy as np

    count = max(1, min(processors(), len(paths) // CHUNK))
    shares = np.array_split(np.arange(len(paths)), count)
    order = {"file": str(file), "name": decoder.name, "options": dict(decoder.options)}
    orders = [{**order, "rows": rows.tolist(), "paths": [str(paths[row]) for row in rows]} for rows in shares]
    bad: dict[int, str] = {}
    done: set[int] = set()
    with _progress(decoder.name, len(paths)) as advance:
        for message in _iterate_messages([_start_process(order) for order in orders]):
            bad |= {int(row): reason for row, reason in message["bad"].items()}
            done.update(message["rows"])
            advance(len(message["rows"]))
    left = [row for row in range(len(paths)) if row not in done]
    return bad | _decode_rows(file, decoder, left, [paths[row] for row in left])


def _start_process(order: Mapping[str, Any]) -> subprocess.Popen[str]:
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(order))
    process.stdin.close()
    return process


def _iterate_messages(processes: Sequence[subprocess.Popen[str]]) -> Iterator[Mapping[str, Any]]:
    """Yield what processes say of each chunk, in the order in which it comes; all have ended after that."""
    import selectors

    with selectors.DefaultSelector() as selector:
        for process in processes:
            selector.register(process.stdout, selectors.EVENT_READ, process)  # type: ignore[arg-type]
        try:
            while selector.get_map():
                for key, _ in selector.select():
                    line = key.fileobj.readline()  # type: ignore[union-attr]
                    if not line:
                        selector.unregister(key.fileobj)
                        continue
                    yield json.loads(line)
        finally:
            for process in processes:
                process.kill()
                process.wait()


def _decode_rows(file: Path, decoder: Decoder, rows: Sequence[int], paths: Sequence[Path]) -> dict[int, str]:
    """Decode files into their rows of an array in a file, and return why some could not be."""
    import numpy as np

    arrays = np.lib.format.open_memmap(file, "r+")
    bad = {}
    for row, path in zip(rows, paths, strict=True):
        try:
            arrays[row] = decoder(path)
        except DataError as error:
            bad[row] = str(error)
    arrays.flush()
    return bad


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("decoding {task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    console = new_console(error=True)
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(f"{what} files", total=total)
        if not console.is_terminal:
            say(console, f"decoding {total:,} {what} files, once")
        yield lambda count: progress.advance(task, count)


def _evict_oldest(folder: Path, newest: Path) -> None:
    """Remove what was used longest ago, until the cache is of its size again."""
    files = sorted(folder.glob("*.npy"), key=lambda file: file.stat().st_mtime, reverse=True)
    total = 0
    for file in files:
        total += file.stat().st_size
        if total > KEPT_BYTES and file != newest:
            file.with_suffix(".json").unlink(missing_ok=True)
            file.unlink(missing_ok=True)


def main() -> None:
    """Decode the files of an order that comes as JSON, and say after each chunk which rows are done."""
    import numpy as np

    order = json.load(sys.stdin)
    file, rows, paths = Path(order["file"]), order["rows"], [Path(path) for path in order["paths"]]
    shape = np.load(file, mmap_mode="r").shape[1:]
    decoder = Decoder(order["name"], order["options"], shape)
    for start in range(0, len(rows), CHUNK):
        some = rows[start : start + CHUNK]
        bad = _decode_rows(file, decoder, some, paths[start : start + CHUNK])
        sys.stdout.write(json.dumps({"rows": some, "bad": bad}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
