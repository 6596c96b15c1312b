"""Restoring: from a run's checkpoint back to its plan and its trained module, without its recipe file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytorch_lightning as pl
import torch
from pydantic import ValidationError

import dlx.plan
from dlx.engine.build.experiment import build_module
from dlx.engine.checkpoint import load_checkpoint, metadata_of
from dlx.errors import CheckpointError, RecipeError
from dlx.facts import DataFacts
from dlx.plan import Plan
from dlx.plan.hardware import resolve_hardware
from dlx.plugins import activate_plugins, active_plugins
from dlx.recipe.load import LoadedRecipe, with_environment
from dlx.recipe.schema.hardware import Hardware
from dlx.recipe.schema.recipe import Recipe
from dlx.tracking.store import find_checkpoint

NO_CHANGES: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class RestoredRun:
    """A trained run: its module and its plan; `notes` say what differs from when it was trained."""

    plan: Plan
    module: pl.LightningModule
    checkpoint: Path
    notes: list[str]


def restore(run: str | Path, hardware: Mapping[str, Any] = NO_CHANGES) -> RestoredRun:
    """Rebuild a run from its checkpoint, or from exported weights, alone; `hardware` changes fields of that section.

    Raises: UsageError if there is no such run; CheckpointError if its checkpoint is damaged, foreign, or needs a
    component that is not here.
    """
    activate_plugins()
    path = find_checkpoint(run)
    checkpoint = load_checkpoint(path)
    content = metadata_of(checkpoint)
    notes: list[str] = []
    plan = _rebuild_plan(path, content, hardware, notes)
    torch.set_num_threads(int(plan.recipe.hardware.num_threads))
    module = build_module(plan)
    try:
        module.load_state_dict(checkpoint["state_dict"])
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} has other weights than its recipe: {str(error).splitlines()[-1].strip()}"
        ) from None
    return RestoredRun(plan, module.eval(), path, notes)


def _rebuild_plan(path: Path, content: dict[str, Any], changes: Mapping[str, Any], notes: list[str]) -> Plan:
    try:
        recipe = Recipe.model_validate(with_environment(content["recipe"]))
        facts = DataFacts.from_json(content["facts"])
        wanted = recipe.hardware.evolve_all(changes) if changes else recipe.hardware
        hardware = available_hardware(wanted, notes)
        recipe = recipe.evolve_all({"hardware": hardware, "init_from": None})  # its weights are its own by now
        return dlx.plan.make(LoadedRecipe(recipe, Path(content.get("base", "."))), facts=facts)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        _require_plugins(path, content)
        raise CheckpointError(f"{path} holds a recipe that cannot be read here: {place}: {first['msg']}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} lacks what dlx writes into a checkpoint: {error}") from None
    except RecipeError as error:
        raise CheckpointError(f"{path} holds a recipe that no longer fits: {error.diagnostics[0].message}") from None


def _require_plugins(path: Path, content: dict[str, Any]) -> None:
    """Raise CheckpointError that names the plugins of the run which are not in use now."""
    here = {plugin.sha256 for plugin in active_plugins()}
    absent = [p["path"] for p in content.get("plugins", []) if p["sha256"] not in here]
    if absent:
        wanted = " ".join(f"--plugin {p}" for p in absent)
        raise CheckpointError(f"{path} was trained with components of a plugin; run: dlx {wanted} …")


def available_hardware(hardware: Hardware, notes: list[str]) -> Hardware:
    """Return the hardware of training, or this machine's where that device is not here; of several devices, one."""
    here = resolve_hardware(Hardware(devices=1))
    alone = {"devices": 1, "num_nodes": 1, "strategy": here.strategy, "sync_batchnorm": False}
    if hardware.accelerator in ("auto", "cpu", here.accelerator):
        return hardware.evolve_all(alone)
    notes.append(f"the run was trained on {hardware.accelerator}, which is not here; {here.accelerator} is used")
    return here
