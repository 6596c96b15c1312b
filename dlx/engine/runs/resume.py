"""Training that was interrupted goes on where its newest checkpoint stands, as if it had never stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dlx.plan
from dlx.data.prepare import Prepared, prepare_for
from dlx.engine.data.verify import are_planned, changed_since
from dlx.engine.runs.finished import refuse_finished
from dlx.engine.runs.outcome import Run
from dlx.engine.runs.run import carry_out
from dlx.engine.training.fit import Start, newest
from dlx.errors import DataError, UsageError
from dlx.facts import DataFacts
from dlx.plan import Plan
from dlx.recipe import load as reading
from dlx.recipe.load import LoadedRecipe
from dlx.recipe.schema.changes import Change, changes
from dlx.run_folders import find_run_folder


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
    return go_on(interrupted(run, recipe, overrides, allow_change), console)


def go_on(found: Interrupted, console: Any, within: Path | None = None, pause_at: int | None = None) -> Run:
    """Train on from the newest checkpoint; `within` is the run of which it is a stage. Raises: Paused."""
    for change in found.changed:
        console.print(f"changed: {change}", highlight=False, soft_wrap=True)
    plan = found.plan.evolve("recipe.init_from", None)  # the checkpoint has its weights by now
    prepared = found.prepared
    return carry_out(
        plan, found.stored, found.folder, console, prepared=prepared, resumed="", within=within, pause_at=pause_at
    )


def interrupted(run: str, recipe: Path | None, overrides: Sequence[str], allow_change: bool) -> Interrupted:
    """Find a run and hold what it is to go on with against what it began with."""
    folder = find_run_folder(run)
    damaged: list[str] = []
    start = newest(folder / "checkpoints", damaged.append)
    if start is None:
        why = "".join(f"\n{note.partition(';')[0]}" for note in damaged)
        raise UsageError(
            f"{folder} has no checkpoint to go on from; train it again: dlx train {folder}/recipe.yaml{why}"
        )
    return held(folder, start, _loaded(folder, start.carried, recipe, overrides), allow_change)


def held(folder: Path, start: Start, loaded: LoadedRecipe, allow_change: bool) -> Interrupted:
    """Hold the recipe that a run is to go on with against the one of its checkpoint."""
    content = start.carried
    plan = dlx.plan.make(loaded, facts=DataFacts.from_json(content["facts"]))
    stored = loaded.to_stored(plan.resolved)
    changed = changes(content["recipe"], stored)
    refuse(changed, allow_change)
    if not changed:
        refuse_finished(folder)
    return Interrupted(folder, plan, stored, changed, _same_data(plan, start.path))


def _loaded(folder: Path, content: dict[str, Any], recipe: Path | None, overrides: Sequence[str]) -> LoadedRecipe:
    if recipe is not None:
        return reading.load(recipe, overrides)
    own = reading.load(folder / "resolved.yaml", overrides)
    return own.with_base(Path(content["base"]))


def refuse(changed: Sequence[Change], allow_change: bool) -> None:
    """Raise UsageError if a run may not go on with these changes, or not without being asked."""
    never = [c for c in changed if c.permission == "fixed"]
    if never:
        raise UsageError("a run cannot go on with another of these: " + "; ".join(map(str, never)))
    asking = [c for c in changed if c.permission == "ask"]
    if asking and not allow_change:
        raise UsageError("the recipe changed: " + "; ".join(map(str, asking)) + ". To go on so: --allow-change")


def _same_data(plan: Plan, since: Path) -> Prepared:
    prepared = prepare_for(plan.recipe, plan.base)
    if not are_planned(prepared, plan):
        raise DataError(f"the data changed since the run began ({changed_since(plan, since)}); start a new run instead")
    return prepared
