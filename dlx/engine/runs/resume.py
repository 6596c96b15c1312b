"""Resuming: an interrupted run goes on from its newest checkpoint, as if it had never stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

import dlx.plan
from dlx.console import say
from dlx.data.prepare import Prepared, prepare_for
from dlx.engine.data.verify import matches_plan, newer_files
from dlx.engine.runs.finished import refuse_finished
from dlx.engine.runs.outcome import Run, read_run
from dlx.engine.runs.run import RunRequest, execute
from dlx.engine.training.fit import ResumePoint, newest_checkpoint
from dlx.errors import DataError, UsageError
from dlx.facts import DataFacts
from dlx.notices import dlx_command
from dlx.plan import Plan
from dlx.recipe import load as reading
from dlx.recipe.load import LoadedRecipe
from dlx.recipe.schema.changes import Change, changes
from dlx.recipe.schema.transfer import InitFrom
from dlx.run_folders import find_run_folder
from dlx.tracking.spool import read_state


@dataclass(frozen=True)
class InterruptedRun:
    """A run that can go on: its directory, the plan with everything that was changed, and the changes."""

    folder: Path
    plan: Plan
    loaded: LoadedRecipe
    changed: list[Change]

    def request(self, console: Any) -> RunRequest:
        """Return the request to go on with it."""
        plan = self.plan.evolve("recipe.init_from", None)  # the checkpoint has its weights by now
        return RunRequest(plan, self.loaded, self.folder, console, resumed="")


def resume(
    run: str,
    console: Any,
    recipe: Path | None = None,
    overrides: Sequence[str] = (),
    allow_change: bool = False,
    callbacks: Sequence[pl.Callback] = (),
) -> Run:
    """Resume a run, with its own recipe or one that differs where a run may change.

    Raises: UsageError if there is nothing to go on with, or a change is not allowed; DataError if the data changed.
    """
    found = find_interrupted(run, recipe, overrides, allow_change)
    return continue_run(found, replace(found.request(console), callbacks=callbacks))


def continue_run(found: InterruptedRun, request: RunRequest) -> Run:
    """Execute the request to go on with an interrupted run, after saying what was changed in its recipe."""
    for change in found.changed:
        say(request.console, f"changed: {change}")
    return execute(request)


def complete(request: RunRequest, allow_change: bool = False) -> Run:
    """Return the run of a request: as it is if it is finished, resumed if it was begun, and else from its beginning."""
    finished, console, folder = read_run(request.folder), request.console, request.folder
    if finished is not None:
        return finished
    begun = newest_checkpoint(request.checkpoints, lambda note: console.print(note, highlight=False, soft_wrap=True))
    if begun is None:
        request.checkpoints.mkdir(parents=True, exist_ok=True)
        resumed = "" if read_state(folder) is not None else None
        return execute(replace(request, resumed=resumed))
    loaded = _with_init_from(request.loaded, begun.metadata["recipe"]["init_from"])
    found = check_resumable(folder, begun, loaded, allow_change)
    goes_on = found.request(console)
    request = replace(request, plan=goes_on.plan, loaded=goes_on.loaded, resumed="")
    return continue_run(found, request)


def find_interrupted(run: str, recipe: Path | None, overrides: Sequence[str], allow_change: bool) -> InterruptedRun:
    """Find a run that can go on. Raises: UsageError if it cannot, or not with these changes."""
    folder = find_run_folder(run)
    damaged: list[str] = []
    start = newest_checkpoint(folder / "checkpoints", damaged.append)
    if start is None:
        why = "".join(f"\n{note.partition(';')[0]}" for note in damaged)
        again = dlx_command("train", folder / "recipe.yaml")
        raise UsageError(f"{folder} has no checkpoint to resume from; train it again: {again}{why}")
    return check_resumable(folder, start, _load_recipe(folder, start.metadata, recipe, overrides), allow_change)


def check_resumable(folder: Path, start: ResumePoint, loaded: LoadedRecipe, allow_change: bool) -> InterruptedRun:
    """Compare the recipe with which a run is to go on with that of its checkpoint.

    Raises: UsageError if it is finished, or may not change so; DataError if its data changed.
    """
    metadata = start.metadata
    plan = _plan_without_origin(loaded, DataFacts.from_json(metadata["facts"]))
    changed = changes(metadata["recipe"], loaded.to_stored(plan.resolved))
    refuse_changes(changed, allow_change)
    if all(change.permission == "free" for change in changed):
        refuse_finished(folder)
    plan = replace(plan, prepared=_read_same_data(plan, start.path))
    return InterruptedRun(folder, plan, loaded, changed)


def _plan_without_origin(loaded: LoadedRecipe, facts: DataFacts) -> Plan:
    """Plan a recipe whose first weights are no longer needed, wherever they came from: the checkpoint has its own."""
    origin = loaded.recipe.init_from
    plan = dlx.plan.make(replace(loaded, recipe=loaded.recipe.evolve("init_from", None)), facts=facts)
    return plan.evolve_all({"resolved.init_from": origin, "recipe.init_from": origin})


def refuse_changes(changed: Sequence[Change], allow_change: bool) -> None:
    """Raise UsageError if a run may not go on with these changes, or not without being asked."""
    never = [c for c in changed if c.permission == "fixed"]
    if never:
        raise UsageError("a run cannot go on with another of these: " + "; ".join(map(str, never)))
    asking = [c for c in changed if c.permission == "ask"]
    if asking and not allow_change:
        raise UsageError("the recipe changed: " + "; ".join(map(str, asking)) + ". To go on so: --allow-change")


def _load_recipe(folder: Path, metadata: dict[str, Any], recipe: Path | None, overrides: Sequence[str]) -> LoadedRecipe:
    if recipe is not None:
        return reading.load(recipe, overrides)
    return reading.load(folder / "resolved.yaml", overrides).with_base(Path(metadata["base"]))


def _with_init_from(loaded: LoadedRecipe, init_from: Any) -> LoadedRecipe:
    """Return the recipe of a stage that is initialized from the run with which it began, wherever that was."""
    begun = None if init_from is None else InitFrom.model_validate(init_from)
    return replace(loaded, recipe=loaded.recipe.evolve("init_from", begun))


def _read_same_data(plan: Plan, since: Path) -> Prepared:
    prepared = prepare_for(plan.recipe, plan.base)
    if not matches_plan(prepared, plan):
        files = newer_files(plan, since)
        raise DataError(f"the data changed since the run began ({files}); start a new run instead")
    return prepared
