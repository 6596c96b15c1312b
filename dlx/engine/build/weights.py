"""Weights that begin as another run's ended, and weights that wait before they learn."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
from torch import Tensor, nn

from dlx.engine.checkpoint import load
from dlx.engine.distributed.processes import is_shared
from dlx.errors import UsageError
from dlx.recipe.schema.transfer import Frozen, InitFrom, beginning
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
        pairs = how.pairs(list(networks), theirs, origin)
    except ValueError as error:
        raise UsageError(f"init_from: {error}") from None
    taken: dict[str, dict[str, Tensor]] = {}
    wrong: list[str] = []
    for role, other in pairs.items():
        wanted = {n: v for n, v in networks[role].state_dict().items() if how.takes(n)}
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


class Freeze(pl.Callback):
    """Keeps layers as they are, always or up to a step: no gradient, and normalizations keep their statistics.

    What is frozen follows from the step alone, so that a run that goes on finds it as it was. Several processes agreed
    at the start on which gradients they average: among them what waits has gradients, which are dropped.
    """

    every_step = True
    """The task's module shows it every step, not only the last of a burst."""

    def __init__(self, frozen: Sequence[Frozen], steps: int) -> None:
        self.frozen, self.steps = frozen, steps
        self._waiting: dict[float, tuple[list[nn.Parameter], list[nn.Module]]] = {}

    def setup(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        """Find the layers before optimizers are made, which do not get those that never learn."""
        self._waiting.clear()
        networks: Any = module.networks
        for network in networks.values():
            step = beginning(self.frozen, [name for name, _ in network.named_parameters()], self.steps)
            for name, parameter in network.named_parameters():
                self._from(step(name))[0].append(parameter)
                if step(name) == math.inf:
                    parameter.requires_grad_(False)
            for name, part in network.named_modules():
                self._from(step(name))[1].append(part)
        self._waiting.pop(0.0, None)

    def _from(self, step: float) -> tuple[list[nn.Parameter], list[nn.Module]]:
        return self._waiting.setdefault(step, ([], []))

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int) -> None:
        """Freeze what is to be frozen in this step, and nothing else."""
        for until, (parameters, modules) in self._waiting.items():
            learns = trainer.global_step >= until
            for parameter in parameters:
                parameter.requires_grad_(learns or (is_shared() and until < math.inf))
            for part in modules:
                part.training = learns

    def on_before_optimizer_step(self, trainer: pl.Trainer, module: pl.LightningModule, optimizer: Any) -> None:
        """Drop the gradients of what waits, where it has any."""
        waiting = [parameters for until, (parameters, _) in self._waiting.items() if trainer.global_step < until]
        for parameter in (p for parameters in waiting for p in parameters) if is_shared() else ():
            parameter.grad = None
