"""Training that was interrupted goes on where its newest checkpoint stands, as if it had never stopped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dlx.plan
from dlx.data.prepare import Prepared, prepare
from dlx.engine.checkpoint import carried, load
from dlx.engine.fit import newest
from dlx.engine.outcome import Run
from dlx.engine.run import carry_out
from dlx.errors import DataError, UsageError
from dlx.facts import DataFacts
from dlx.plan import Plan
from dlx.recipe import load as reading
from dlx.recipe.load import Loaded
from dlx.recipe.permission import Change, changes
from dlx.tracking.store import folder_of


@dataclass(frozen=True)
class Interrupted:
    """A run that can go on: its directory, the plan with everything that was changed, and the changes."""

    folder: Path
    plan: Plan
    stored: dict[str, Any]
    changed: list[Change]
    prepared: Prepared


def resume(
    run: str, console: Any, recipe: Path | None = None, overrides: Sequence[str] = (), allow_change: bool = False
) -> Run:
    """Go on with a run, with its own recipe or one that differs where a run may change.

    Raises: UsageError if there is nothing to go on with, or a change is not allowed; DataError if the data changed.
    """
    found = interrupted(run, console, recipe, overrides, allow_change)
    for change in found.changed:
        console.print(f"changed: {change}", highlight=False, soft_wrap=True)
    own = found.plan.recipe.model_copy(update={"init_from": None})  # the checkpoint has its weights by now
    plan = replace(found.plan, recipe=own)
    return carry_out(plan, found.stored, found.folder, console, prepared=found.prepared, resumed="")


def interrupted(
    run: str, console: Any, recipe: Path | None, overrides: Sequence[str], allow_change: bool
) -> Interrupted:
    """Find a run and hold what it is to go on with against what it began with."""
    folder = folder_of(run)
    start = newest(folder / "checkpoints", lambda note: console.print(note, highlight=False, soft_wrap=True))
    if start is None:
        raise UsageError(f"{folder} has no checkpoint to go on from; train it again: dlx train {folder}/recipe.yaml")
    content = carried(load(start))
    loaded = _loaded(folder, content, recipe, overrides)
    plan = dlx.plan.make(loaded, facts=DataFacts.from_json(content["facts"]))
    stored = loaded.storable(plan.written)
    changed = changes(content["recipe"], stored)
    _refuse(changed, allow_change)
    if not changed and _is_finished(folder):
        raise UsageError(
            f"{folder.name} is finished. To train it on: dlx train --resume {folder.name} train.epochs=N --allow-change"
        )
    return Interrupted(folder, plan, stored, changed, _same_data(plan, start))


def _loaded(folder: Path, content: dict[str, Any], recipe: Path | None, overrides: Sequence[str]) -> Loaded:
    if recipe is not None:
        return reading.load(recipe, overrides)
    own = reading.load(folder / "resolved.yaml", overrides)
    return replace(own, base=Path(content["base"]))


def _refuse(changed: list[Change], allow_change: bool) -> None:
    never = [c for c in changed if c.rule == "fixed"]
    if never:
        raise UsageError("a run cannot go on with another of these: " + "; ".join(map(str, never)))
    asking = [c for c in changed if c.rule == "ask"]
    if asking and not allow_change:
        raise UsageError("the recipe changed: " + "; ".join(map(str, asking)) + ". To go on so: --allow-change")


def _is_finished(folder: Path) -> bool:
    return bool(json.loads((folder / "run.json").read_text()).get("metrics"))


def _same_data(plan: Plan, since: Path) -> Prepared:
    recipe = plan.recipe
    prepared = prepare(recipe.data, plan.base, recipe.task.target_kind, recipe.seed)
    if prepared.facts.fingerprint == plan.facts.fingerprint:
        return prepared
    which = ", ".join(changed_files(plan, since)) or recipe.data.source.type
    raise DataError(f"the data changed since the run began ({which}); start a new run instead")


def changed_files(plan: Plan, since: Path) -> list[str]:
    """Return the data files that are newer than a checkpoint, or all of them if none is; three at most."""
    files = [f for f in plan.recipe.data.source.files(plan.base) if f.exists()]
    newer = [f for f in files if f.stat().st_mtime > since.stat().st_mtime] or files
    return [str(f) for f in newer[:3]]
