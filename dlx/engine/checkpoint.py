"""Checkpoint files: written atomically with a SHA-256 manifest, read without executing anything in them."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from collections.abc import Mapping
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Any, BinaryIO, cast

import torch
from pytorch_lightning.plugins.io import CheckpointIO

from dlx.errors import CheckpointError, CheckpointWriteError
from dlx.files import atomic_writer, copy_file, link_file, write_atomic
from dlx.os_errors import os_reason

METADATA = "dlx"
"""Key of a checkpoint's metadata: the resolved recipe, the facts of its data, and what built it, as JSON."""

SAFETENSORS = ".safetensors"


class _HashingFile(RawIOBase):
    """A file that computes the SHA-256 of what is written to it, without holding it in memory.

    An OSError is kept in `error` for the end, since torch's archive answers one by an error of its own.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.sha = hashlib.sha256()
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        self.sha.update(data)
        if self.error is None:
            try:
                self.file.write(data)
            except OSError as error:
                self.error = error
        return len(data)


class AtomicCheckpointIO(CheckpointIO):
    """Lightning's CheckpointIO with atomic writes (temporary file, fsync, rename) and a SHA-256 manifest beside each.

    It reads weights only, never code.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint.

        Raises: CheckpointError if it holds a number that is not finite; CheckpointWriteError if the disk is full.
        """
        path = Path(path)
        not_finite = [n for n, v in checkpoint.get("state_dict", {}).items() if not bool(torch.isfinite(v).all())]
        if not_finite:
            raise CheckpointError(f"{path.name} is not saved: {not_finite[0]} has values that are not finite")
        try:
            with atomic_writer(path) as file:
                writer = _HashingFile(file)
                torch.save(checkpoint, cast(BinaryIO, writer))
                if writer.error is not None:
                    raise writer.error
                # A process that is killed between two of these writes leaves a file that the manifest still names.
                before = _accepted_digests(path)
                _write_manifest(path, [*before, writer.sha.hexdigest()])
            if before:
                _write_manifest(path, [writer.sha.hexdigest()])
        except OSError as error:
            size = sum(v.nbytes for v in checkpoint.get("state_dict", {}).values())
            raise CheckpointWriteError(f"{path} (over {size:,} bytes) cannot be written: {os_reason(error)}") from error

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Read a checkpoint. Raises: CheckpointError if it is absent, truncated, changed, or holds code."""
        return load_checkpoint(Path(path), map_location)

    def remove_checkpoint(self, path: Any) -> None:
        """Delete a checkpoint and its manifest."""
        Path(path).unlink(missing_ok=True)
        manifest_path(Path(path)).unlink(missing_ok=True)


def link_checkpoint(path: Path, other: Path) -> None:
    """Give a checkpoint a second name by a hard link; files are never changed in place, so that both may share it."""
    digests = _accepted_digests(path)
    _write_manifest(other, [*_accepted_digests(other), *digests])
    beside = other.with_name(f".{other.name}.alias.tmp")
    beside.unlink(missing_ok=True)
    try:
        link_file(path, beside)
    except OSError:  # a file system without hard links
        copy_file(path, beside)
    beside.replace(other)
    _write_manifest(other, digests)


def manifest_path(path: Path) -> Path:
    """Return the path of a checkpoint's manifest, which holds its SHA-256."""
    return path.with_name(path.name + ".sha256")


def _write_manifest(path: Path, digests: list[str]) -> None:
    write_atomic(manifest_path(path), "\n".join(digests).encode())


def _accepted_digests(path: Path) -> list[str]:
    """Return the digests that the file may have: one, or two while a new file takes its place."""
    if manifest_path(path).exists():
        return manifest_path(path).read_text().split()
    return [hashlib.sha256(path.read_bytes()).hexdigest()] if path.exists() else []


def load_checkpoint(path: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Read a checkpoint whose content matches its manifest, if it has one, or exported weights (.safetensors); nothing
    in it is executed.

    Raises: CheckpointError if it is absent, truncated, changed, or holds code.
    """
    if path.suffix == SAFETENSORS:
        return _read_safetensors(path)
    try:
        with path.open("rb") as file:
            return _read_checkpoint(path, file, map_location or "cpu")
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {os_reason(error)}") from None


def _read_checkpoint(path: Path, file: BufferedReader, map_location: Any) -> dict[str, Any]:
    expected = manifest_path(path)
    if expected.exists() and hashlib.file_digest(file, "sha256").hexdigest() not in expected.read_text().split():
        raise CheckpointError(f"{path} is damaged: its content does not match its SHA-256")
    file.seek(0)
    try:
        return dict(torch.load(file, map_location=map_location, weights_only=True))
    except Exception as error:  # torch raises many kinds: a broken archive, a forbidden type, an odd pickle
        reason = "it is damaged, or no file of torch"
        if isinstance(error, pickle.UnpicklingError):
            reason = "it holds more than tensors and plain values, or is damaged; nothing of it was run"
        raise CheckpointError(f"{path} is not a checkpoint that can be trusted: {reason}") from None


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
            return {"state_dict": state, **(file.metadata() or {})}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} cannot be read as weights: {error}") from None


def metadata_of(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata that dlx wrote into a checkpoint. Raises: CheckpointError if another program made it."""
    if METADATA not in checkpoint:
        raise CheckpointError("this checkpoint was not made by dlx")
    try:
        return dict(json.loads(checkpoint[METADATA]))
    except (TypeError, ValueError):
        raise CheckpointError(f"the metadata of this checkpoint, under '{METADATA}', were not written by dlx") from None


def remove_leftovers(folder: Path) -> None:
    """Delete temporary files that an interrupted save of a process that is gone has left."""
    for leftover in folder.glob(".*.tmp"):
        if os.access(leftover, os.W_OK):
            leftover.unlink(missing_ok=True)
