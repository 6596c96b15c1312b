"""Unpacking: a zip file from anybody becomes a run, after every member was checked; it appears whole or not at all."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import stat
import tempfile
import time
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from dlx.engine.checkpoint import METADATA, AtomicCheckpointIO
from dlx.engine.packages.contents import (
    CHECKPOINT,
    LOCK,
    MANIFEST,
    MAX_MANIFEST_BYTES,
    MAX_TEXT_BYTES,
    RECORD,
    WEIGHTS,
    Manifest,
    Member,
    is_known_member,
)
from dlx.engine.runs.folder import make_run_folder
from dlx.engine.runs.outcome import ClaimVerdict, Run
from dlx.engine.training.checkpointer import BEST, POSITION
from dlx.engine.training.chunks import Position
from dlx.errors import CheckpointError, UsageError
from dlx.facts import DataFacts
from dlx.files import create_file, write_atomic

CHUNK = 1 << 20
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_METRICS = TypeAdapter(dict[str, float])
_VERDICT = TypeAdapter(list[ClaimVerdict])
_NOTES = TypeAdapter(list[str])


def unpack(archive: Path, root: Path) -> Run:
    """Unpack a run into a new directory below the root, under its own name if that is free.

    Raises: CheckpointError if it is no package, or anything in it is not what the manifest says; UsageError.
    """
    if not archive.is_file():
        raise UsageError(f"there is no file {archive}")
    root.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=root))
    try:
        with zipfile.ZipFile(archive) as zipped:
            manifest = _check_members(zipped, archive)
            _extract(zipped, manifest, scratch)
        folder = _free_folder(root, manifest.name)
        run = _restore_run(scratch, folder, manifest)
        scratch.replace(folder)
    except CheckpointError as error:
        raise CheckpointError(f"{archive} is not unpacked: {error}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise CheckpointError(f"{archive} is not unpacked: a damaged zip file: {error}") from None
    except OSError as error:
        raise UsageError(f"{archive} cannot be unpacked into {root}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return run


# -- the zip file -----------------------------------------------------------------------------------------------------


def _check_members(zipped: zipfile.ZipFile, archive: Path) -> Manifest:
    """Return the manifest, after the directory of the zip file was held against it. Nothing is written before."""
    members = zipped.infolist()
    names = [member.filename for member in members]
    for member in members:
        _check_member(member)
    if len({name.casefold() for name in names}) < len(names):
        raise CheckpointError("a name occurs twice")
    _check_sizes(members, archive.stat().st_size)
    if MANIFEST not in names:
        raise CheckpointError(f"it has no {MANIFEST}: it was not written by dlx pack")
    manifest = Manifest.read(_parse(MANIFEST, _read(zipped, MANIFEST, MAX_MANIFEST_BYTES)))
    odd = sorted({*names, MANIFEST} ^ {*manifest.members, MANIFEST})
    if odd:
        raise CheckpointError(f"'{odd[0]}' stands in the manifest or in the file, and not in both")
    for member in members:
        said = manifest.members.get(member.filename)
        if said is not None and said.size != member.file_size:
            raise CheckpointError(f"'{member.filename}' has {member.file_size:,} bytes, by the manifest {said.size:,}")
    return manifest


def _check_member(member: zipfile.ZipInfo) -> None:
    name, kind = member.filename, stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise CheckpointError(f"'{name}' is a link, a directory or a device")
    if (name != MANIFEST and not is_known_member(name)) or member.orig_filename != name:
        raise CheckpointError(f"'{member.orig_filename}' is no file of a run")
    if member.flag_bits & 0x1:
        raise CheckpointError(f"'{name}' is encrypted")
    if member.compress_type not in COMPRESSIONS:
        raise CheckpointError(f"'{name}' is compressed in a way that dlx pack does not use")


def _check_sizes(members: list[zipfile.ZipInfo], whole: int) -> None:
    """Refuse a zip file that would grow: its weights are stored, and its texts have a limit together."""
    for member in members:
        if member.filename.endswith(WEIGHTS) and member.compress_type != zipfile.ZIP_STORED:
            raise CheckpointError(f"'{member.filename}' is compressed, as dlx pack does not do")
        if member.compress_type == zipfile.ZIP_STORED and member.file_size != member.compress_size:
            raise CheckpointError(f"'{member.filename}' is stored in {member.compress_size:,} of its bytes")
    texts = sum(member.file_size for member in members if not member.filename.endswith(WEIGHTS))
    if texts > MAX_TEXT_BYTES:
        raise CheckpointError(f"it unpacks to {texts:,} bytes of text, and a package holds {MAX_TEXT_BYTES:,}")
    if sum(member.compress_size for member in members) > whole:
        raise CheckpointError("its members overlap: together they are larger than the file")


def _read(zipped: zipfile.ZipFile, name: str, limit: int) -> bytes:
    with zipped.open(name) as source:
        content = source.read(limit + 1)
    if len(content) > limit:
        raise CheckpointError(f"'{name}' has more than {limit:,} bytes")
    return content


def _extract(zipped: zipfile.ZipFile, manifest: Manifest, scratch: Path) -> None:
    for name, said in manifest.members.items():
        _extract_member(zipped, name, said, scratch / name)


def _extract_member(zipped: zipfile.ZipFile, name: str, said: Member, target: Path) -> None:
    """Write a member to disk, as long as it is not larger than declared, and check its hash."""
    digest, size = hashlib.sha256(), 0
    with zipped.open(name) as source, create_file(target) as file:
        while chunk := source.read(CHUNK):
            size += len(chunk)
            if size > said.size:
                raise CheckpointError(f"'{name}' is larger than the {said.size:,} bytes that it declares")
            digest.update(chunk)
            file.write(chunk)
    if size != said.size or digest.hexdigest() != said.sha256:
        raise CheckpointError(f"'{name}' is damaged: its content does not match its SHA-256")


# -- the run ----------------------------------------------------------------------------------------------------------


def _free_folder(root: Path, name: str) -> Path:
    """Return a directory that is not there yet: of the run's own name, or of its recipe's with a new ending."""
    if not (root / name).exists():
        return root / name
    folder = make_run_folder(root, name.rpartition("-")[0] or name, inside="")
    folder.rmdir()
    return folder


def _restore_run(scratch: Path, folder: Path, manifest: Manifest) -> Run:
    """Make what was unpacked a run: checkpoints of weights, a lock and an outcome that say where it is now."""
    whole: Run | None = None
    for place in [*manifest.stages, ""]:
        part = scratch / place
        _check_json(part, LOCK)
        if (part / WEIGHTS).exists() or not manifest.stages:
            _restore_checkpoint(part, folder / place)
        whole = _read_outcome(part, folder / place, manifest)
        if place == "" and manifest.stages:
            whole.checkpoint = folder / manifest.stages[-1] / "checkpoints" / BEST
        _write_outcome(whole, part)
    assert whole is not None
    return whole


def _restore_checkpoint(part: Path, folder: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    rest = _check_json(part, CHECKPOINT)
    try:
        metadata = {**rest[METADATA], "base": str(folder.absolute())}
        DataFacts.from_json(metadata["facts"])
        position = vars(Position(**{k: int(v) for k, v in rest[POSITION].items()}))
        counters = {name: int(rest[name]) for name in ("epoch", "global_step")}
        version = str(rest["pytorch-lightning_version"])
        dict(metadata["recipe"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{CHECKPOINT} lacks what dlx writes into a checkpoint: {error}") from None
    try:
        weights = {name: value.clone() for name, value in load_file(part / WEIGHTS).items()}  # each its own storage
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{WEIGHTS} cannot be read: {error}") from None
    content = {"state_dict": weights, METADATA: json.dumps(metadata), POSITION: position, **counters}
    content["pytorch-lightning_version"] = version
    AtomicCheckpointIO().save_checkpoint(content, part / "checkpoints" / BEST)
    for name in (WEIGHTS, CHECKPOINT):
        (part / name).unlink()


def _read_outcome(part: Path, folder: Path, manifest: Manifest) -> Run:
    record = _check_json(part, RECORD)
    try:
        metrics = _METRICS.validate_python(record.get("metrics", {}))
        verdict = _VERDICT.validate_python(record.get("verdict", []))
        notes = _NOTES.validate_python(record.get("notes", []))
        seconds = float(record.get("seconds", 0.0))
    except (ValidationError, TypeError, ValueError) as error:
        raise CheckpointError(f"{RECORD} is not the outcome of a run: {str(error).splitlines()[0]}") from None
    is_whole = part.name not in manifest.stages
    return Run(
        str(record.get("name", manifest.name))[:200], folder, folder / "checkpoints" / BEST, None, metrics, verdict,
        seconds=seconds if math.isfinite(seconds) else 0.0, notes=notes, status="FINISHED",
        stages=dict.fromkeys(manifest.stages, True) if is_whole else {}, ending=str(record.get("ending", ""))[:200],
    )  # fmt: skip


def _write_outcome(run: Run, part: Path) -> None:
    """Write the outcome and the lock where the run still lies; they name the place where it will."""
    outcome = {**run.to_json(), "time": time.time()}
    write_atomic(part / RECORD, json.dumps(outcome, indent=2).encode())
    lock = _check_json(part, LOCK)
    if lock:
        write_atomic(part / LOCK, json.dumps({**lock, "base": str(run.folder.absolute())}, indent=2).encode())


def _check_json(part: Path, name: str) -> dict[str, Any]:
    if not (part / name).exists():
        return {}
    return _parse(name, (part / name).read_bytes())


def _parse(name: str, content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{name} is not JSON: {error}") from None
    if not isinstance(found, Mapping):
        raise CheckpointError(f"{name} is not a JSON object")
    return cast(dict[str, Any], found)
