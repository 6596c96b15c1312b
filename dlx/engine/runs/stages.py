"""Recipes in stages: a run of several, each trained as any other recipe is, in a directory below that of the whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

import dlx.plan
from dlx.engine.build.weights import matched
from dlx.engine.runs import resume as resuming
from dlx.engine.runs import run as running
from dlx.engine.runs.folder import new_folder, write_recipe
from dlx.engine.runs.outcome import Run, read_run
from dlx.engine.training.checkpointer import BEST
from dlx.engine.training.fit import newest
from dlx.errors import UsageError
from dlx.plan import Plan
from dlx.plan.report import outline
from dlx.rank import process_rank
from dlx.recipe import load as reading
from dlx.recipe.compose.stages import join_stages
from dlx.recipe.load import LoadedRecipe
from dlx.recipe.schema.changes import Change, changes
from dlx.recipe.schema.transfer import InitFrom
from dlx.run_folders import find_run_folder, stage_status
from dlx.tracking.record import open_record
from dlx.tracking.spool import read_state

Changes = Mapping[str, Sequence[Change]]
"""What of each stage's recipe is not what it was."""


def train(plan: Plan, loaded: LoadedRecipe, console: Any, *, root: Path = Path("runs"), fast: bool = False) -> Run:
    """Train a plan, one stage after the other if it has stages, and judge what came of it.

    Raises: UsageError before the first step if nothing can be written, or a stage could not begin as it should;
    RunError if training fails.
    """
    if not plan.stages:
        return running.train(plan, loaded, console, root=root, fast=fast)
    _check(plan)
    first, *_ = _places(plan.stages).values()
    folder = new_folder(root, plan.recipe.name, f"{first}/checkpoints")
    return _carry_out(plan, loaded, folder, console, fast=fast)


def resume(
    run: str, console: Any, recipe: Path | None = None, overrides: Sequence[str] = (), allow_change: bool = False
) -> Run:
    """Go on with a run; if it has stages, in the one that was interrupted, without those that are finished.

    Raises: UsageError if there is nothing to go on with, or a change is not allowed; DataError if the data changed.
    """
    folder = find_run_folder(run)
    if not stage_status(folder):
        return resuming.resume(run, console, recipe, overrides, allow_change)
    before = reading.load(folder / "resolved.yaml")
    own = reading.load(folder / "resolved.yaml", overrides) if recipe is None else reading.load(recipe, overrides)
    loaded = own.with_base(_base(folder)) if recipe is None else own
    if list(before.stages) != list(loaded.stages):
        asked = ", ".join(loaded.stages) or "none"
        raise UsageError(f"{folder.name} has the stages {', '.join(before.stages)}, the recipe {asked}")
    plan = dlx.plan.make(loaded)
    changed = {
        name: changes(stage.to_stored(), loaded.stages[name].to_stored(plan.stages[name].resolved))
        for name, stage in before.stages.items()
    }
    _permit(folder, changed, allow_change)
    _check(plan)
    return _carry_out(plan, loaded, folder, console, changed=changed, allow_change=allow_change, resumed="")


def _places(stages: Iterable[str]) -> dict[str, str]:
    """Return the name of every stage's directory: its number and its own name."""
    names = list(stages)
    digits = len(str(len(names)))
    return {name: f"{number:0{digits}}-{name}" for number, name in enumerate(names, 1)}


def _base(folder: Path) -> Path:
    """Return where the recipe's paths start, as the newest checkpoint of a run says."""
    for place in reversed(stage_status(folder)):
        start = newest(folder / place / "checkpoints", lambda _: None)
        if start is not None:
            return Path(start.carried["base"])
    raise UsageError(f"{folder} has no checkpoint to go on from; train it again: dlx train {folder}/recipe.yaml")


def _permit(folder: Path, changed: Changes, allow_change: bool) -> None:
    """Raise UsageError if a run may not go on with these changes, or has nothing left to do."""
    for name, place in _places(changed).items():
        lasting = [change for change in changed[name] if change.permission != "free"]
        if lasting and read_run(folder / place) is not None:
            listed = "; ".join(map(str, lasting))
            raise UsageError(f"the stage {name} is finished, and its recipe is what it was: {listed}")
        resuming.refuse(lasting, allow_change)
    if all(stage_status(folder).values()) and not any(changed.values()):
        raise UsageError(f"{folder.name} is finished, with all of its stages")


def _check(plan: Plan) -> None:
    """Raise UsageError for what would otherwise fail only when a later stage begins."""
    if process_rank() is not None or any(stage.recipe.hardware.num_nodes > 1 for stage in plan.stages.values()):
        raise UsageError("stages start their own processes, one stage after the other: run dlx train without torchrun")
    for stage in plan.stages.values():
        how = stage.recipe.init_from
        if how is None or how.stage is None:
            continue
        networks = {role: network.tree.build(network.input) for role, network in stage.networks.items()}  # type: ignore[arg-type]
        matched(networks, _weights(plan.stages[how.stage]), how, f"the stage {how.stage}")


def _weights(plan: Plan) -> dict[str, Tensor]:
    """Return weights as a checkpoint of the plan would hold them, not yet trained."""
    built = {role: network.tree.build(network.input) for role, network in plan.networks.items()}  # type: ignore[arg-type]
    return {f"{role}.{name}": value for role, net in built.items() for name, value in net.state_dict().items()}


def _carry_out(
    plan: Plan,
    loaded: LoadedRecipe,
    folder: Path,
    console: Any,
    *,
    changed: Changes | None = None,
    allow_change: bool = False,
    fast: bool = False,
    resumed: str | None = None,
) -> Run:
    """Train what is left of a run's stages, and judge them together."""
    places = _places(plan.stages)
    stored = join_stages({name: stage.to_stored(plan.stages[name].resolved) for name, stage in loaded.stages.items()})
    *_, last = places.values()
    with running.alone(folder):
        write_recipe(folder, loaded, stored)
        record = open_record(plan, folder, stored, resumed)
        whole = Run(plan.recipe.name, folder, folder / last / "checkpoints" / BEST, record.run_id)
        whole.stages = dict.fromkeys(places.values(), False)
        whole.write()
        with running.marked(record):
            for prefix, (name, place) in zip(plan.plans_by_prefix, places.items(), strict=True):
                own = _begun(plan.stages[name], folder, places)
                stage = _Stage(own, loaded.stages[name], folder / place, bool(changed and changed[name]), allow_change)
                console.print(f"[bold]{name}[/]  {outline(own)}", highlight=False)
                _add(whole, stage.trained(console, fast), prefix)
                whole.write()
            record.finish(whole.metrics, whole.held if whole.verdict else None, [], None)
        whole.notes += record.close("FINISHED")
        whole.mlflow_run = record.run_id
        whole.write()
    return whole


def _begun(plan: Plan, folder: Path, places: Mapping[str, str]) -> Plan:
    """Return the plan of a stage that begins as another run ended: an earlier stage is such a run by now."""
    how = plan.recipe.init_from
    if how is None or how.stage is None:
        return plan
    begun = how.evolve_all({"run": str(folder / places[how.stage]), "stage": None})
    return plan.evolve_all({"resolved.init_from": begun, "recipe.init_from": begun})


@dataclass(frozen=True)
class _Stage:
    """One stage of a run in its own directory; `changed` says whether its recipe is not what it was."""

    plan: Plan
    loaded: LoadedRecipe
    folder: Path
    changed: bool
    allow_change: bool

    def trained(self, console: Any, fast: bool) -> Run:
        """Train it if it is not finished, from its newest checkpoint if it has one."""
        done = read_run(self.folder)
        if done is not None and not self.changed:
            return done
        checkpoints, whole = self.folder / "checkpoints", self.folder.parent
        begun = newest(checkpoints, lambda note: console.print(note, highlight=False, soft_wrap=True))
        if begun is not None:
            own = _beginning_as(self.loaded, begun.carried["recipe"]["init_from"])
            return resuming.go_on(resuming.held(self.folder, begun, own, self.allow_change), console, whole)
        checkpoints.mkdir(parents=True, exist_ok=True)
        resumed = "" if read_state(self.folder) is not None else None
        return running.start(self.plan, self.loaded, self.folder, console, fast=fast, resumed=resumed, within=whole)


def _beginning_as(loaded: LoadedRecipe, how: Mapping[str, Any] | None) -> LoadedRecipe:
    """Return the recipe of a stage that begins with the run, wherever that was, with which it has begun."""
    begun = None if how is None else InitFrom.model_validate(how)
    return replace(loaded, recipe=loaded.recipe.evolve("init_from", begun))


def _add(whole: Run, stage: Run, prefix: str) -> None:
    """Add what came of a stage to what came of all; what the last one says stands first."""
    whole.metrics |= {f"{prefix}{name}": value for name, value in stage.metrics.items()}
    whole.verdict = [replace(v, metric=f"{prefix}{v.metric}") for v in stage.verdict] + whole.verdict
    whole.seconds += stage.seconds
    whole.notes += [f"{stage.folder.name}: {note}" for note in stage.notes]
    whole.stages[stage.folder.name] = True
