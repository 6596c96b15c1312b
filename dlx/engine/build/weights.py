"""Transfer learning: networks begin with the weights of another run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from dlx.engine.checkpoint import load
from dlx.errors import UsageError
from dlx.recipe.schema.transfer import InitFrom
from dlx.tracking.store import find_run

NETWORKS = "networks."


def begin(networks: Mapping[str, nn.Module], how: InitFrom) -> None:
    """Copy the weights that are asked for into networks.

    Raises: UsageError that lists every one that is not there, or of another shape; CheckpointError.
    """
    path = find_run(_run(how)).checkpoint
    state = {n.removeprefix(NETWORKS): v for n, v in load(path)["state_dict"].items() if n.startswith(NETWORKS)}
    for role, found in matched(networks, state, how, str(path)).items():
        networks[role].load_state_dict({**networks[role].state_dict(), **found})


def matched(
    networks: Mapping[str, nn.Module], state: Mapping[str, Tensor], how: InitFrom, origin: str
) -> dict[str, dict[str, Tensor]]:
    """Return which weights each network takes of a state, which `origin` names; its keys begin with a role.

    Raises: UsageError that lists every one that is not there, or of another shape.
    """
    theirs = list(dict.fromkeys(name.partition(".")[0] for name in state))
    try:
        pairs = how.match_networks(list(networks), theirs, origin)
    except ValueError as error:
        raise UsageError(f"init_from: {error}") from None
    taken: dict[str, dict[str, Tensor]] = {}
    wrong: list[str] = []
    for role, other in pairs.items():
        wanted = {n: v for n, v in networks[role].state_dict().items() if how.selects(n)}
        found = {n: state.get(f"{other}.{n}") for n in wanted}
        wrong += [_difference(n, v, found[n]) for n, v in wanted.items() if not _fits(v, found[n])]
        taken[role] = {n: v for n, v in found.items() if v is not None}
    if wrong:
        listed = "\n".join(f"  {line}" for line in wrong[:12]) + ("\n  …" if len(wrong) > 12 else "")
        raise UsageError(f"init_from: {origin} does not fit; choose layers with `only`:\n{listed}")
    return taken


def _run(how: InitFrom) -> str:
    if how.run is None:
        raise UsageError(f"init_from: the stage {how.stage} is part of a recipe with stages, which trains it first")
    return how.run


def origin(how: InitFrom) -> dict[str, Any]:
    """Return where weights come from, so that it can be told later: the run and its checkpoint's content."""
    found = find_run(_run(how))
    digest = hashlib.sha256(found.checkpoint.read_bytes()).hexdigest()
    return {"run": found.folder.name, "checkpoint": str(found.checkpoint.absolute()), "sha256": digest}


def _fits(mine: Tensor, other: Tensor | None) -> bool:
    return other is not None and mine.shape == other.shape


def _difference(name: str, mine: Tensor, other: Tensor | None) -> str:
    here = " × ".join(map(str, mine.shape)) or "a number"
    return f"{name}: {here} here, " + ("not there" if other is None else " × ".join(map(str, other.shape)) + " there")
