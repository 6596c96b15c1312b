"""Weight files: safetensors on disk, of one file or several, whose headers are read without torch."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlx.errors import DataError

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
"""What a folder of published weights holds: one file, or a list of several."""
LARGEST_HEADER = 100_000_000
"""Bytes, as the format's own library allows."""
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")

Shape = tuple[int, ...]


def find_weight_files(path: Path) -> list[Path]:
    """Return the safetensors files that a path names: itself, or those of a folder.

    Raises: DataError if there are none, or the path is a pickle, which would run code as it is read.
    """
    if path.suffix.lower() in PICKLES:
        raise DataError(
            f"{path} is a pickle, which runs code as it is read, and is not loaded; convert it where you trust it: "
            f"""python -c "import torch, safetensors.torch as s; """
            f"""s.save_file(torch.load('{path.name}', weights_only=True), '{path.stem}.safetensors')\""""
        )
    if path.is_file():
        return [path]
    if (path / INDEX).is_file():
        return [path / name for name in _listed_files(path / INDEX)]
    if (path / SINGLE).is_file():
        return [path / SINGLE]
    inside = f"; a folder must hold {SINGLE} or {INDEX}" if path.is_dir() else ""
    raise DataError(f"there are no weights at {path}{inside}")


def read_shapes(files: list[Path]) -> dict[str, Shape]:
    """Return the shape of every tensor of safetensors files. Raises: DataError if one cannot be read, or holds one
    that another holds too.
    """
    shapes: dict[str, Shape] = {}
    for file in files:
        found = _read_header(file)
        twice = shapes.keys() & found.keys()
        if twice:
            raise DataError(f"{file}: {min(twice)} is in another file too")
        shapes |= found
    return shapes


def _listed_files(index: Path) -> list[str]:
    """Return the names of the files that an index lists. Raises: DataError if one would lie elsewhere."""
    names = sorted(set(_read_object(index.read_bytes(), index, "weight_map").values()))
    for name in names:
        if not isinstance(name, str) or Path(name).name != name or not name.endswith(".safetensors"):
            raise DataError(f"{index} lists {name!r}, which is no safetensors file beside it")
    return names


def _read_header(file: Path) -> dict[str, Shape]:
    try:
        with file.open("rb") as stream:
            start = stream.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            if not 2 <= length <= min(LARGEST_HEADER, file.stat().st_size - 8):
                raise DataError(f"{file} is not a safetensors file, or not whole")
            header = _read_object(stream.read(length), file)
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror or error}") from None
    shapes = {name: _shape_of(entry) for name, entry in header.items() if name != "__metadata__"}
    wrong = next((name for name, shape in shapes.items() if shape is None), None)
    if wrong is not None:
        raise DataError(f"{file} is not a safetensors file: {wrong} has no shape")
    return shapes  # type: ignore[return-value]


def _shape_of(entry: Any) -> Shape | None:
    shape = entry.get("shape") if isinstance(entry, Mapping) else None
    is_shape = isinstance(shape, list) and all(isinstance(n, int) and n >= 0 for n in shape)
    return tuple(shape) if is_shape else None  # type: ignore[arg-type]


def _read_object(text: bytes, file: Path, key: str | None = None) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise DataError(f"{file} is damaged: its list of tensors is not JSON") from None
    inner = found if key is None or not isinstance(found, dict) else found.get(key)
    if not isinstance(inner, dict):
        raise DataError(f"{file} is damaged: it lists no tensors")
    return inner
