"""Checkpoints that are there whole or not at all, and that say when they are damaged."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Any, BinaryIO, cast

import torch
from pytorch_lightning.plugins.io import CheckpointIO

from dlx.errors import CheckpointError
from dlx.files import atomic_writer, copy_file, link_file, write_atomic

CARRIED = "dlx"
"""Key under which a checkpoint carries the resolved recipe, the facts and what built it, as JSON."""


class _Hashing(RawIOBase):
    """A file that is written to, and the SHA-256 of what was written: nothing is held in memory.

    What goes wrong is kept for the end, since torch's archive answers an error by one of its own.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.sha = hashlib.sha256()
        self.failed: OSError | None = None

    def write(self, data: Any) -> int:
        self.sha.update(data)
        if self.failed is None:
            try:
                self.file.write(data)
            except OSError as error:
                self.failed = error
        return len(data)


class WholeCheckpointIO(CheckpointIO):
    """Writes by temporary file, fsync and rename, with a SHA-256 beside it; reads weights only, never code."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint. Raises: CheckpointError if it holds a number that is not finite or the disk is full."""
        path = Path(path)
        not_finite = [n for n, v in checkpoint.get("state_dict", {}).items() if not bool(torch.isfinite(v).all())]
        if not_finite:
            raise CheckpointError(f"{path.name} is not saved: {not_finite[0]} has values that are not finite")
        try:
            with atomic_writer(path) as file:
                writer = _Hashing(file)
                torch.save(checkpoint, cast(BinaryIO, writer))
                if writer.failed is not None:
                    raise writer.failed
                # Killed between two of these writes, the file that is there is still one that the manifest names.
                write_atomic(manifest(path), "\n".join([*_accepted(path), writer.sha.hexdigest()]).encode())
            write_atomic(manifest(path), writer.sha.hexdigest().encode())
        except OSError as error:
            size = sum(v.nbytes for v in checkpoint.get("state_dict", {}).values())
            raise CheckpointError(f"{path} (over {size:,} bytes) cannot be written: {error.strerror}") from error

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Read a checkpoint. Raises: CheckpointError if it is absent, truncated, changed, or holds code."""
        return load(Path(path), map_location)

    def remove_checkpoint(self, path: Any) -> None:
        """Delete a checkpoint and its manifest."""
        Path(path).unlink(missing_ok=True)
        manifest(Path(path)).unlink(missing_ok=True)


def alias(path: Path, other: Path) -> None:
    """Give a checkpoint a second name. Files are never changed in place, so that the two may share their content."""
    digests = _accepted(path)
    write_atomic(manifest(other), "\n".join([*_accepted(other), *digests]).encode())
    beside = other.with_name(f".{other.name}.alias.tmp")
    beside.unlink(missing_ok=True)
    try:
        link_file(path, beside)
    except OSError:  # a file system without hard links
        copy_file(path, beside)
    beside.replace(other)
    write_atomic(manifest(other), "\n".join(digests).encode())


def manifest(path: Path) -> Path:
    """Return where the SHA-256 of a checkpoint stands."""
    return path.with_name(path.name + ".sha256")


def _accepted(path: Path) -> list[str]:
    """Return the SHA-256 that the file may have: one, or two while a new one takes its place."""
    if manifest(path).exists():
        return manifest(path).read_text().split()
    return [hashlib.sha256(path.read_bytes()).hexdigest()] if path.exists() else []


def load(path: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Read a checkpoint whose content matches its manifest, if it has one. Nothing in it is executed."""
    try:
        with path.open("rb") as file:
            return _read(path, file, map_location or "cpu")
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from None


def _read(path: Path, file: BufferedReader, map_location: Any) -> dict[str, Any]:
    expected = manifest(path)
    if expected.exists() and hashlib.file_digest(file, "sha256").hexdigest() not in expected.read_text().split():
        raise CheckpointError(f"{path} is damaged: its content does not match its SHA-256")
    file.seek(0)
    try:
        return dict(torch.load(file, map_location=map_location, weights_only=True))
    except Exception as error:  # torch raises many kinds: a broken archive, a forbidden type, an odd pickle
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{path} is not a checkpoint that can be trusted: {reason}") from None


def carried(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return what dlx wrote into a checkpoint. Raises: CheckpointError if another program made it."""
    if CARRIED not in checkpoint:
        raise CheckpointError("this checkpoint was not made by dlx")
    try:
        return dict(json.loads(checkpoint[CARRIED]))
    except (TypeError, ValueError):
        raise CheckpointError(f"what this checkpoint carries under '{CARRIED}' was not written by dlx") from None


def sweep(folder: Path) -> None:
    """Delete what an interrupted save of a process that is gone has left."""
    for leftover in folder.glob(".*.tmp"):
        if os.access(leftover, os.W_OK):
            leftover.unlink(missing_ok=True)
