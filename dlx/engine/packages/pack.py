"""Packing: a trained run becomes one zip file of text and safetensors, the same bytes each time."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from dlx.engine.checkpoint import METADATA, load_checkpoint, metadata_of
from dlx.engine.packages.card import model_card
from dlx.engine.packages.contents import (
    CARD,
    CHECKPOINT,
    COPIED,
    LOCK,
    MANIFEST,
    MAX_TEXT_BYTES,
    RECORD,
    WEIGHTS,
    Manifest,
    Member,
)
from dlx.engine.training.checkpointer import BEST, BEST_KEYS
from dlx.errors import UsageError
from dlx.files import atomic_writer, output_file
from dlx.run_folders import STUDY, find_run_folder, run_name, stage_status
from dlx.tracking.store import find_run
from dlx.version import __version__

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every member: the first that a zip file can have."""
KEPT = ("name", "metrics", "verdict", "seconds", "sampling_seconds", "notes", "stages", "ending")
"""What a package says of a run's outcome: all but where it was."""


def pack(run: str, output: Path | None = None) -> Path:
    """Write a trained run into a zip file, by default named as the run, and return where it is.

    Raises: UsageError if the run has not come to its end; CheckpointError if its weights are damaged.
    """
    folder = find_run_folder(run)
    if (folder / STUDY).exists():
        best = find_run(str(folder)).folder
        raise UsageError(f"{folder.name} is a study: pack one of its runs, such as {run_name(best)}")
    places = list(stage_status(folder))
    members = dict(_members(folder, places))
    name = run_name(folder).replace("/", "-")
    members[CARD] = model_card(name, folder / (places[-1] if places else ""), folder).encode()
    _check_size(folder, members)
    described = {n: Member(size=len(c), sha256=hashlib.sha256(c).hexdigest()) for n, c in sorted(members.items())}
    manifest = Manifest(dlx=__version__, name=name, stages=places, members=described)
    target = output or Path(f"{name}.zip")
    with output_file(target), atomic_writer(target) as file, zipfile.ZipFile(file, "w") as zipped:
        _add(zipped, MANIFEST, json.dumps(manifest.model_dump(), indent=1).encode())
        for member in sorted(members, key=lambda n: (n.endswith(WEIGHTS), n)):
            _add(zipped, member, members[member])
    return target


def _members(folder: Path, places: list[str]) -> Iterator[tuple[str, bytes]]:
    for place in ["", *places]:
        part, prefix = folder / place, f"{place}/" if place else ""
        for name in COPIED:
            if (part / name).exists():
                yield prefix + name, (part / name).read_bytes()
        lock, record = (_read_json(part / name) for name in (LOCK, RECORD))
        if lock:
            yield prefix + LOCK, _to_json(_without_places(lock))
        yield prefix + RECORD, _to_json({k: record[k] for k in KEPT if k in record})
        if place or not places:
            yield from _checkpoint_members(part, prefix, record)


def _checkpoint_members(part: Path, prefix: str, record: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    from safetensors.torch import save

    path = part / "checkpoints" / BEST
    if record.get("status") != "FINISHED" or not path.exists():
        raise UsageError(f"{run_name(part)} is not finished, or its checkpoint was deleted: there is nothing to pack")
    content = load_checkpoint(path)
    weights: dict[str, Any] = content["state_dict"]
    odd = [name for name, value in weights.items() if not isinstance(value, Tensor)]
    if odd:
        raise UsageError(f"{path}: {odd[0]} is no tensor, and has no place in safetensors")
    metadata = metadata_of(content)
    plugins = [{**p, "path": Path(p["path"]).name} for p in metadata.get("plugins", [])]
    rest = {k: content[k] for k in BEST_KEYS if k in content and k not in ("state_dict", METADATA)}
    metadata = {k: v for k, v in metadata.items() if k != "base"} | {"plugins": plugins}
    yield prefix + CHECKPOINT, _to_json({**rest, METADATA: metadata})
    yield prefix + WEIGHTS, save({name: value.detach().clone().contiguous() for name, value in weights.items()})


def _without_places(lock: Mapping[str, Any]) -> dict[str, Any]:
    """Return a lock without the paths of this machine."""
    plugins = [{**plugin, "path": Path(plugin["path"]).name} for plugin in lock.get("plugins", [])]
    origin = lock.get("init_from")
    origin = {k: v for k, v in origin.items() if k != "checkpoint"} if isinstance(origin, dict) else origin
    return {k: v for k, v in lock.items() if k != "base"} | {"plugins": plugins, "init_from": origin}


def _check_size(folder: Path, members: Mapping[str, bytes]) -> None:
    texts = sum(len(content) for name, content in members.items() if not name.endswith(WEIGHTS))
    if texts > MAX_TEXT_BYTES:
        raise UsageError(f"{folder}: what is no weight takes {texts:,} bytes, and a package holds {MAX_TEXT_BYTES:,}")


def _add(zipped: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Add a member; weights are stored as they are, so that a package cannot grow when it is unpacked."""
    member = zipfile.ZipInfo(name, EPOCH)
    member.external_attr = 0o644 << 16
    member.compress_type = zipfile.ZIP_STORED if name.endswith(WEIGHTS) else zipfile.ZIP_DEFLATED
    zipped.writestr(member, content)


def _to_json(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False).encode()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
