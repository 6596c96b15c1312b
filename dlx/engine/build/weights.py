"""Transfer learning: networks are initialized with the weights of another run (`init_from`)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from dlx.engine.checkpoint import load_checkpoint
from dlx.errors import UsageError
from dlx.recipe.schema.transfer import InitFrom
from dlx.tracking.store import find_run
from dlx.weight_files import find_weight_files

NETWORKS = "networks."
SHOWN = 12
"""Lines of an error that are shown."""


def load_initial_weights(networks: Mapping[str, nn.Module], init_from: InitFrom) -> None:
    """Copy the weights of another run that `init_from` chooses into networks.

    Raises: UsageError that lists every one that is not there, or of another shape; CheckpointError.
    """
    path = find_run(_run_name(init_from)).checkpoint
    state = {
        n.removeprefix(NETWORKS): v for n, v in load_checkpoint(path)["state_dict"].items() if n.startswith(NETWORKS)
    }
    for role, found in match_weights(networks, state, init_from, str(path)).items():
        networks[role].load_state_dict({**networks[role].state_dict(), **found})


def match_weights(
    networks: Mapping[str, nn.Module], state: Mapping[str, Tensor], init_from: InitFrom, origin: str
) -> dict[str, dict[str, Tensor]]:
    """Return which weights each network takes of a state dict, which `origin` names; its keys begin with a role.

    Raises: UsageError that lists every one that is not there, or of another shape.
    """
    theirs = list(dict.fromkeys(name.partition(".")[0] for name in state))
    try:
        pairs = init_from.match_networks(list(networks), theirs, origin)
    except ValueError as error:
        raise UsageError(f"init_from: {error}") from None
    taken: dict[str, dict[str, Tensor]] = {}
    wrong: list[str] = []
    for role, other in pairs.items():
        wanted = {n: v for n, v in networks[role].state_dict().items() if init_from.selects(n)}
        found = {n: state.get(f"{other}.{n}") for n in wanted}
        wrong += [_difference(n, v, found[n]) for n, v in wanted.items() if not _has_same_shape(v, found[n])]
        taken[role] = {n: v for n, v in found.items() if v is not None}
    if wrong:
        raise misfit_error(origin, wrong)
    return taken


def _run_name(init_from: InitFrom) -> str:
    if init_from.run is None:
        which = f"the stage {init_from.stage} is part of a recipe with stages, which trains it first"
        raise UsageError(f"init_from: {which}")
    return init_from.run


def weights_origin(init_from: InitFrom, base: Path) -> dict[str, Any]:
    """Return the provenance of initial weights: the run, or the file, and the SHA-256 of what holds them."""
    if init_from.file is not None:
        files = find_weight_files(init_from.file_path(base))
        hashes = {file.name: _sha256(file) for file in files}
        return {"file": init_from.file, "names": init_from.names, "sha256": hashes}
    found = find_run(_run_name(init_from))
    digest = _sha256(found.checkpoint)
    return {"run": found.folder.name, "checkpoint": str(found.checkpoint.absolute()), "sha256": digest}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _has_same_shape(mine: Tensor, other: Tensor | None) -> bool:
    return other is not None and mine.shape == other.shape


def _difference(name: str, mine: Tensor, other: Tensor | None) -> str:
    there = "not there" if other is None else f"{describe_shape(other)} there"
    return f"{name}: {describe_shape(mine)} here, {there}"


def describe_shape(tensor: Tensor) -> str:
    """Write the shape of a tensor for people: `64 × 3 × 7 × 7`."""
    return " × ".join(map(str, tensor.shape)) or "a number"


def misfit_error(origin: str, lines: Sequence[str]) -> UsageError:
    """Return the error that lists, a line each, what of a network and of weights from elsewhere does not fit."""
    listed = "\n".join(f"  {line}" for line in lines[:SHOWN]) + ("\n  …" if len(lines) > SHOWN else "")
    return UsageError(f"init_from: {origin} does not fit; choose layers with `only`:\n{listed}")
