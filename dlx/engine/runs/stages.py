"""Recipes in stages: a run of several trainings, each as that of any other recipe, in a directory below the whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from torch import Tensor, nn

import dlx.plan
from dlx.console import say
from dlx.engine.build.weights import match_weights
from dlx.engine.runs import resume as resuming
from dlx.engine.runs import run as running
from dlx.engine.runs.finished import is_finished
from dlx.engine.runs.folder import job_folder, make_run_folder, write_recipe
from dlx.engine.runs.outcome import Run, read_run
from dlx.engine.runs.run import RunRequest
from dlx.engine.training.checkpointer import BEST
from dlx.engine.training.fit import newest_checkpoint
from dlx.errors import UsageError
from dlx.notices import dlx_command
from dlx.plan import Plan
from dlx.plan.report import outline
from dlx.rank import process_rank
from dlx.recipe import load as reading
from dlx.recipe.compose.stages import join_stages
from dlx.recipe.load import LoadedRecipe
from dlx.recipe.schema.changes import Change, changes
from dlx.run_folders import find_run_folder, stage_status
from dlx.tracking.record import open_record
from dlx.tracking.spool import read_state

Changes = Mapping[str, Sequence[Change]]
"""How the recipe of each stage differs from what it was."""


def train(
    plan: Plan,
    loaded: LoadedRecipe,
    console: Any,
    *,
    root: Path = Path("runs"),
    fast: bool = False,
    callbacks: Sequence[pl.Callback] = (),
    job: str | None = None,
    allow_change: bool = False,
) -> Run:
    """Train a plan, one stage after the other if it has stages, and check its claims.

    job  whose run it is: one that an earlier try of the job has left goes on, one that is finished is returned

    Raises: UsageError before the first step if nothing can be written, or a stage could not begin as it should;
    RunError if training fails.
    """
    if job is not None:
        folder = job_folder(root, plan.recipe.name, job)
        return _train_job(RunRequest(plan, loaded, folder, console, fast, callbacks=callbacks), allow_change)
    if not plan.stages:
        return running.train(plan, loaded, console, root=root, fast=fast, callbacks=callbacks)
    _check_stages(plan)
    first, *_ = stage_folder_names(plan.stages).values()
    folder = make_run_folder(root, plan.recipe.name, f"{first}/checkpoints")
    return _execute_stages(RunRequest(plan, loaded, folder, console, fast, callbacks=callbacks))


def _train_job(request: RunRequest, allow_change: bool) -> Run:
    """Train what is left of a job's run: nothing, the rest, or all of it."""
    folder = request.folder
    finished = read_run(folder)
    if finished is not None:
        say(request.console, f"{folder.name} is finished: nothing is left to train")
        return finished
    if not request.plan.stages:
        return resuming.complete(request, allow_change)
    _check_stages(request.plan)
    first, *_ = stage_folder_names(request.plan.stages).values()
    (folder / first / "checkpoints").mkdir(parents=True, exist_ok=True)
    request = replace(request, resumed="" if read_state(folder) is not None else None)
    return _execute_stages(request, allow_change)


def resume(
    run: str,
    console: Any,
    recipe: Path | None = None,
    overrides: Sequence[str] = (),
    allow_change: bool = False,
    callbacks: Sequence[pl.Callback] = (),
) -> Run:
    """Resume a run; if it has stages, in the one that was interrupted, without those that are finished.

    Raises: UsageError if there is nothing to go on with, or a change is not allowed; DataError if the data changed.
    """
    folder = find_run_folder(run)
    if not stage_status(folder):
        return resuming.resume(run, console, recipe, overrides, allow_change, callbacks)
    before = reading.load(folder / "resolved.yaml")
    if recipe is None:
        loaded = reading.load(folder / "resolved.yaml", overrides).with_base(_recipe_base(folder))
    else:
        loaded = reading.load(recipe, overrides)
    if list(before.stages) != list(loaded.stages):
        asked = ", ".join(loaded.stages) or "none"
        raise UsageError(f"{folder.name} has the stages {', '.join(before.stages)}, the recipe {asked}")
    plan = dlx.plan.make(loaded)
    changed = {
        name: changes(stage.to_stored(), loaded.stages[name].to_stored(plan.stages[name].resolved))
        for name, stage in before.stages.items()
    }
    _refuse_changes(folder, changed, allow_change)
    _check_stages(plan)
    request = RunRequest(plan, loaded, folder, console, resumed="", callbacks=callbacks)
    return _execute_stages(request, allow_change)


def stage_folder_names(stages: Iterable[str]) -> dict[str, str]:
    """Return the name of every stage's directory: its number and its own name."""
    names = list(stages)
    digits = len(str(len(names)))
    return {name: f"{number:0{digits}}-{name}" for number, name in enumerate(names, 1)}


def _recipe_base(folder: Path) -> Path:
    """Return where the recipe's paths start, as the newest checkpoint of a run says."""
    for place in reversed(stage_status(folder)):
        start = newest_checkpoint(folder / place / "checkpoints", lambda _: None)
        if start is not None:
            return Path(start.metadata["base"])
    raise UsageError(
        f"{folder} has no checkpoint to go on from; train it again: {dlx_command('train', folder / 'recipe.yaml')}"
    )


def _refuse_changes(folder: Path, changed: Changes, allow_change: bool) -> None:
    """Raise UsageError if a run may not go on with these changes, or has nothing left to do."""
    for name, place in stage_folder_names(changed).items():
        lasting = [change for change in changed[name] if change.permission != "free"]
        if lasting and is_finished(folder / place):
            listed = "; ".join(map(str, lasting))
            raise UsageError(f"the stage {name} is finished, and its recipe is what it was: {listed}")
        resuming.refuse_changes(lasting, allow_change)
    if is_finished(folder):
        raise UsageError(f"{folder.name} is finished, with all of its stages")


def _check_stages(plan: Plan) -> None:
    """Raise UsageError for what would otherwise fail only when a later stage begins."""
    if process_rank() is not None or any(stage.recipe.hardware.num_nodes > 1 for stage in plan.stages.values()):
        raise UsageError("stages start their own processes, one stage after the other: run dlx train without torchrun")
    for stage in plan.stages.values():
        init_from = stage.recipe.init_from
        if init_from is None or init_from.stage is None:
            continue
        networks = _build_networks(stage)
        weights = _untrained_weights(plan.stages[init_from.stage])
        match_weights(networks, weights, init_from, f"the stage {init_from.stage}")


def _untrained_weights(plan: Plan) -> dict[str, Tensor]:
    """Return weights as a checkpoint of the plan would hold them, not yet trained."""
    built = _build_networks(plan).items()
    return {f"{role}.{name}": value for role, net in built for name, value in net.state_dict().items()}


def _build_networks(plan: Plan) -> dict[str, nn.Module]:
    """Return the networks of a plan, not yet trained."""
    return {role: network.tree.build(network.input) for role, network in plan.networks.items()}  # type: ignore[arg-type]


def _execute_stages(request: RunRequest, allow_change: bool = False) -> Run:
    """Execute the stages of a run that are not finished, one after the other, and check their claims together."""
    plan, loaded, folder = request.plan, request.loaded, request.folder
    places = stage_folder_names(plan.stages)
    stored = join_stages({name: stage.to_stored(plan.stages[name].resolved) for name, stage in loaded.stages.items()})
    *_, last = places.values()
    with running.run_lock(folder):
        write_recipe(folder, loaded, stored)
        record = open_record(plan, folder, stored, request.resumed)
        whole = Run(plan.recipe.name, folder, folder / last / "checkpoints" / BEST, record.run_id)
        whole.stages = dict.fromkeys(places.values(), False)
        whole.write()
        with running.record_end(whole, record):
            for prefix, (name, place) in zip(plan.plans_by_prefix, places.items(), strict=True):
                stage = _with_initial_weights(plan.stages[name], folder, places)
                say(request.console, (name, "bold"), f"  {outline(stage)}")
                own = replace(
                    request, plan=stage, loaded=loaded.stages[name], folder=folder / place, resumed=None, parent=folder
                )  # fmt: skip
                _add_stage(whole, resuming.complete(own, allow_change), prefix)
                whole.write()
            record.finish(whole.metrics, whole.claims_hold if whole.verdict else None, [], None)
    return whole


def _with_initial_weights(plan: Plan, folder: Path, places: Mapping[str, str]) -> Plan:
    """Return the plan of a stage with the run whose weights it begins with: an earlier stage is such a run by now."""
    init_from = plan.recipe.init_from
    if init_from is None or init_from.stage is None:
        return plan
    run = init_from.evolve_all({"run": str(folder / places[init_from.stage]), "stage": None})
    return plan.evolve_all({"resolved.init_from": run, "recipe.init_from": run})


def _add_stage(whole: Run, stage: Run, prefix: str) -> None:
    """Add the outcome of a stage to that of the whole; the verdict of the last one stands first."""
    whole.metrics |= {f"{prefix}{name}": value for name, value in stage.metrics.items()}
    whole.verdict = [replace(v, metric=f"{prefix}{v.metric}") for v in stage.verdict] + whole.verdict
    whole.seconds += stage.seconds
    whole.notes += [f"{stage.folder.name}: {note}" for note in stage.notes]
    whole.ending = stage.ending
    whole.stages[stage.folder.name] = True
