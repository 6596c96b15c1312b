"""One training of a study as a run of its own: begun or gone on with, until a rung or its end."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from dlx.console import new_console
from dlx.data.prepare import Prepared
from dlx.engine.data.verify import matches_plan, read_planned_data
from dlx.engine.runs.outcome import Run, read_run
from dlx.engine.runs.resume import complete
from dlx.engine.runs.run import RunRequest
from dlx.engine.training.checkpointer import list_checkpoints
from dlx.engine.training.pause import TrainingPaused
from dlx.plan import Plan, make
from dlx.recipe.load import LoadedRecipe
from dlx.recipe.schema.study import Sweep
from dlx.studies.folder import StudyFolder
from dlx.studies.journal import Trial
from dlx.studies.scheduling import Job, Scheduler


@dataclass(frozen=True)
class TrialResult:
    """What came of a trial: the metric that is searched for, and all metrics if it is finished."""

    value: float
    metrics: dict[str, float]
    paused: bool


class SharedData:
    """The data of the last training, in memory: the next one has them too if it is of the same data."""

    def __init__(self, prepared: Prepared | None = None) -> None:
        self.prepared = prepared

    def attach(self, plan: Plan) -> Plan:
        """Return a plan with its data. Raises: DataError if they are not those for which it was made."""
        if self.prepared is not None and not matches_plan(self.prepared, plan):
            self.prepared = None  # before others are read
        self.prepared = self.prepared or plan.prepared or read_planned_data(plan)
        return replace(plan, prepared=self.prepared)


def train_to_end(loaded: LoadedRecipe, folder: Path, study: Path, data: SharedData) -> Run:
    """Train a recipe in a folder of a study to its end, from its newest checkpoint if it has one; in silence."""
    return _train(loaded, folder, study, None, data)


def _train(loaded: LoadedRecipe, folder: Path, study: Path, pause_after_epoch: int | None, data: SharedData) -> Run:
    finished = read_run(folder)
    if finished is not None:
        return finished
    recipe = loaded.recipe.evolve("train.figures", False).evolve("tracking.log_model", False)  # the study has its own
    loaded = replace(loaded, recipe=recipe)
    plan = make(loaded)
    if not list_checkpoints(folder / "checkpoints"):  # one that goes on reads its data again, which may have changed
        plan = data.attach(plan)
    request = RunRequest(plan, loaded, folder, new_console(quiet=True), parent=study)
    return complete(replace(request, pause_after_epoch=pause_after_epoch))


class Trainer:
    """Trains the trials of a sweep.

    monitor   the metric that is searched for, of which the largest or the smallest is the best
    data      what trials share
    """

    def __init__(self, study: StudyFolder, sweep: Sweep, monitor: str, maximize: bool, data: SharedData) -> None:
        self.study, self.sweep, self.monitor, self.maximize, self.data = study, sweep, monitor, maximize, data

    def train(self, loaded: LoadedRecipe, job: Job) -> TrialResult:
        """Train a trial, once for each seed, and return the means. Raises: DlxError if it cannot be trained."""
        outcomes = [self._train_seed(loaded, job, seed) for seed in range(self.sweep.seeds)]
        names = outcomes[0].metrics
        metrics = {name: _mean([o.metrics[name] for o in outcomes]) for name in names}
        return TrialResult(_mean([o.value for o in outcomes]), metrics, outcomes[0].paused)

    def _train_seed(self, loaded: LoadedRecipe, job: Job, seed: int) -> TrialResult:
        recipe = loaded.recipe.evolve("seed", loaded.recipe.seed + seed).evolve("train.monitor", self.monitor)
        own = replace(loaded, recipe=recipe)  # its best checkpoint is the best by what is searched for
        folder = self.study.trial(job.number, seed, self.sweep.seeds)
        try:
            run = _train(own, folder, self.study.path, job.until, self.data)
        except TrainingPaused as paused:
            values = [value for _, value in paused.points.get(self.monitor, [])]
            return TrialResult(self._best(values), {}, paused=True)
        return TrialResult(run.metrics.get(self.monitor, math.nan), run.metrics, paused=False)

    def _best(self, values: list[float]) -> float:
        known = [value for value in values if value == value]
        return (max if self.maximize else min)(known, default=math.nan)

    def drop_checkpoints(self, scheduler: Scheduler, trials: Mapping[int, Trial]) -> None:
        """Delete the checkpoints of trials that are finished and not among the best, or failed."""
        finished = [t.number for t in scheduler.best(trials) if t.status == "finished"]
        failed = [t.number for t in trials.values() if t.status == "failed"]
        for number in (*finished[self.sweep.keep_checkpoints :], *failed):
            for seed in range(self.sweep.seeds):
                checkpoints = self.study.trial(number, seed, self.sweep.seeds) / "checkpoints"
                shutil.rmtree(checkpoints, ignore_errors=True)


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if all(map(math.isfinite, values)) else math.nan
