"""A run from its first line to its verdict: a directory, a tracked run, training, the test, and the claims."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from filelock import FileLock, Timeout

from dlx.console import new_console, say
from dlx.engine.build.experiment import Experiment, build
from dlx.engine.checkpoint import load_checkpoint, remove_leftovers
from dlx.engine.distributed.collectives import all_gather, barrier
from dlx.engine.distributed.processes import process_group
from dlx.engine.inference.feature_extractor import attach, load_features
from dlx.engine.inference.sampling_time import measure_sampling_seconds
from dlx.engine.runs.baselines import measure_baselines, notes_on_baselines
from dlx.engine.runs.export_section import export_section
from dlx.engine.runs.folder import make_run_folder, write_description
from dlx.engine.runs.outcome import Run, check_claims
from dlx.engine.training.checkpointer import BEST, list_checkpoints
from dlx.engine.training.figures import draw_all
from dlx.engine.training.fit import FaultTolerantFit, FitResult
from dlx.engine.training.pause import TrainingPaused
from dlx.engine.training.progress import attach_progress
from dlx.engine.training.signals import RunStopped, SignalHandler
from dlx.engine.training.threads import with_fastest_threads
from dlx.engine.training.trainer import silence_lightning
from dlx.errors import UsageError
from dlx.nn.protocols import HasNotes, HasOutputs
from dlx.notices import dlx_command
from dlx.os_errors import os_message
from dlx.plan import Plan
from dlx.plan.hardware import is_worth_trying
from dlx.plugins import active_plugins
from dlx.rank import is_worker
from dlx.recipe.load import LoadedRecipe
from dlx.tracking.comparison import SAMPLING_SECONDS
from dlx.tracking.record import RunRecord, open_record


@dataclass(frozen=True)
class RunRequest:
    """What is to be run: a plain run, one that is resumed, or a stage of one.

    folder             the run's directory
    fast               a few steps of everything, as a trial
    resumed            the MLflow id of a run that goes on, or "" if it has none; None for one that begins
    parent             the directory of the run of which this is a stage, or of the study of which it is a trial
    pause_after_epoch  where training pauses; None trains to the end
    callbacks          further callbacks of Lightning, of rank 0 alone
    is_tracked         whether the run is known to MLflow
    """

    plan: Plan
    loaded: LoadedRecipe
    folder: Path
    console: Any
    fast: bool = False
    resumed: str | None = None
    parent: Path | None = None
    pause_after_epoch: int | None = None
    callbacks: Sequence[pl.Callback] = ()
    is_tracked: bool = True

    @property
    def checkpoints(self) -> Path:
        """The directory of its checkpoints."""
        return self.folder / "checkpoints"

    @cached_property
    def stored_recipe(self) -> dict[str, Any]:
        """The resolved recipe as it is stored."""
        return self.loaded.to_stored(self.plan.resolved)

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """What every checkpoint carries: enough to build the experiment again without its recipe."""
        return {
            "recipe": self.stored_recipe,
            "facts": self.plan.facts.to_json(),
            "base": str(self.plan.base.resolve()),
            "plugins": [p.to_json() for p in active_plugins()],
        }


def train(
    plan: Plan,
    loaded: LoadedRecipe,
    console: Any,
    *,
    root: Path = Path("runs"),
    fast: bool = False,
    callbacks: Sequence[pl.Callback] = (),
) -> Run:
    """Train a plan in a new directory, and check its claims. `fast` runs a few steps of everything, as a trial.

    Raises: UsageError before the first step if nothing can be written; RunError if training fails.
    """
    folder = root if is_worker() else make_run_folder(root, plan.recipe.name)
    return execute(RunRequest(plan, loaded, folder, console, fast, callbacks=callbacks))


def execute(request: RunRequest) -> Run:
    """Train in a run's directory, from its newest checkpoint if it has one, test the best weights, and check claims.

    Raises: TrainingPaused where it was to pause; RunStopped when a signal ended it; RunError if training fails.
    """
    if is_worker():
        return run_worker(build_with_features(request.plan), request.fast)
    with run_lock(request.folder):
        remove_leftovers(request.checkpoints)
        if not list_checkpoints(request.checkpoints):
            request = _tune_threads(request)
            write_description(request.folder, request.plan, request.loaded, request.stored_recipe)
        experiment = build_with_features(request.plan)
        record = _open_record(request)
        run = Run(request.plan.recipe.name, request.folder, request.checkpoints / BEST, record.run_id)
        run.fast_dev_run = request.fast
        run.write()
        with record_end(run, record), report_stop(request):
            _train_and_test(request, experiment, run, record)
    return run


def _open_record(request: RunRequest) -> RunRecord:
    if not request.is_tracked:
        return RunRecord(None, [])
    return open_record(request.plan, request.folder, request.stored_recipe, request.resumed, request.parent)


def _tune_threads(request: RunRequest) -> RunRequest:
    """Return the request with the number of CPU threads that trains fastest, where it is worth trying."""
    plan, asked = request.plan, request.loaded.recipe.hardware.num_threads
    if asked != "auto" or not is_worth_trying(plan.recipe.hardware, plan.length.steps):
        return request
    if request.fast:
        one = {"resolved.hardware.num_threads": 1, "recipe.hardware.num_threads": 1}
        return replace(request, plan=plan.evolve_all(one))
    return replace(request, plan=with_fastest_threads(plan))


def build_with_features(plan: Plan) -> Experiment:
    """Build a plan, with the networks of other runs whose features its metrics compare.

    Raises: UsageError if there is no such run, or it takes other data.
    """
    experiment = build(plan)
    attach(experiment.module, plan)
    load_features(experiment.module)
    return experiment


def _train_and_test(request: RunRequest, experiment: Experiment, run: Run, record: RunRecord) -> None:
    order = {**request.metadata, "fast": request.fast, "pause_after_epoch": request.pause_after_epoch}
    with (
        silence_lightning(),
        SignalHandler() as signals,
        process_group(request.plan, request.folder, order, lambda: record.close("FAILED")),
    ):
        fit = FaultTolerantFit(
            request.checkpoints, request.console, record.logger, request.metadata, signals, attach,
            fast=request.fast, pause_after_epoch=request.pause_after_epoch, callbacks=request.callbacks,
        )  # fmt: skip
        try:
            _test(request, fit(experiment), run, record)
        finally:
            run.notes += fit.notes
            run.metrics = run.metrics or fit.metrics_so_far()


def run_worker(experiment: Experiment, fast: bool, store: Any = None, pause_after_epoch: int | None = None) -> Run:
    """Train together with rank 0, which prints, writes and tracks for this process."""
    plan = experiment.plan
    with silence_lightning(), SignalHandler() as signals, process_group(plan, store=store) as folder:
        run = Run(plan.recipe.name, folder, folder / "checkpoints" / BEST, None)
        console, place = new_console(quiet=True), folder / "checkpoints"
        fit = FaultTolerantFit(
            place, console, None, {}, signals, attach, fast=fast, pause_after_epoch=pause_after_epoch
        )
        result = fit(experiment)
        run.seconds = result.history.seconds
        run.metrics = _measure(run, result, fast)
    return run


def _test(request: RunRequest, result: FitResult, run: Run, record: RunRecord) -> None:
    """Measure the best weights, check the claims, and draw figures, none of which costs a run its result."""
    module, plan = result.experiment.module, result.experiment.plan
    attach_progress(module, request.console)
    run.seconds, run.ending = result.history.seconds, "a trial of two batches" if request.fast else result.ending
    run.metrics = _measure(run, result, request.fast)
    with note_failure(run, "baselines are not measured"):
        baselines, notes = measure_baselines(result.experiment, request.console, request.fast)
        run.metrics |= baselines
        run.notes += [*notes, *notes_on_baselines(plan, run.metrics)]
    with note_failure(run, "the run is not exported"):
        export_section(result.experiment, run, record, request.console)
    run.verdict = check_claims(plan, run.metrics)
    run.notes += module.notes if isinstance(module, HasNotes) else []
    if plan.recipe.train.figures:
        curves = {**result.history.points, **result.history.learning_rates}
        best = result.checkpointer.best_epoch
        run.figures, notes = draw_all(run.folder / "figures", curves, result.experiment, best)
        run.notes += notes
    with note_failure(run, "the time of sampling is not measured"):
        run.sampling_seconds = None if request.fast else measure_sampling_seconds(result.experiment)
    _track_results(run, record, result.checkpointer.failure)


def _track_results(run: Run, record: RunRecord, failure: str) -> None:
    """Track the results of a run; whatever goes wrong in that is noted, and costs it none of them."""
    if failure:
        run.notes.append(f"the best weights are not saved, the metrics are theirs all the same: {failure}")
    timed = {} if run.sampling_seconds is None else {SAMPLING_SECONDS: run.sampling_seconds}
    checkpoint, held = None if failure else run.checkpoint, run.claims_hold if run.verdict else None
    with note_failure(run, "the results are not tracked"):
        record.finish({**run.metrics, **timed}, held, run.figures, checkpoint)


@contextmanager
def note_failure(run: Run, what: str) -> Iterator[None]:
    """Note what fails after training: whatever is no part of the result costs a run none of it."""
    try:
        yield
    except Exception as error:  # of any task, library or tracker
        run.notes.append(f"{what}: {type(error).__name__}: {error}")


def _measure(run: Run, result: FitResult, fast: bool) -> dict[str, float]:
    """Return the metrics of the best weights, all of one epoch; the outputs of a test come together at rank 0."""
    trainer, module, batches = result.trainer, result.experiment.module, result.experiment.batches
    metrics: dict[str, Any] = dict(result.checkpointer.best_metrics or trainer.callback_metrics)
    barrier()  # rank 0 has written the best weights
    unsaved = result.checkpointer.unsaved_weights(module)
    module.load_state_dict(load_checkpoint(run.checkpoint)["state_dict"] if unsaved is None else unsaved)
    if "val" in batches and not fast:
        metrics |= trainer.validate(module, batches["val"], verbose=False)[0]
    if "test" in batches:
        metrics |= trainer.test(module, batches["test"], verbose=False)[0]
        outputs: Any = module.outputs if isinstance(module, HasOutputs) else None
        for others in all_gather(outputs)[1:] if outputs is not None else ():
            outputs.join(others)
    return {k: float(v) for k, v in metrics.items() if "/" in k}


@contextmanager
def record_end(run: Run, record: RunRecord) -> Iterator[None]:
    """Record how a run ended, in its directory and in the tracker: FINISHED, KILLED, FAILED, or SCHEDULED to go on."""
    status = "FAILED"
    try:
        yield
        status = "FINISHED"
    except (KeyboardInterrupt, RunStopped):
        status = "KILLED"
        raise
    except TrainingPaused:
        status = "SCHEDULED"
        raise
    finally:
        run.notes += record.close(status)
        run.mlflow_run, run.status = record.run_id, status
        try:
            run.write()
        except OSError as error:  # of a run that is over: its result is shown, or the error that ended it
            run.notes.append(f"the run's result is not written: {os_message(error, run.folder / 'run.json')}")


@contextmanager
def report_stop(request: RunRequest) -> Iterator[None]:
    """Say what a run that is stopped by a signal has saved, where, and how it goes on."""
    try:
        yield
    except (KeyboardInterrupt, RunStopped):
        whole, saved = request.parent or request.folder, list_checkpoints(request.checkpoints)
        again = f"nothing is saved yet. Train it again: {dlx_command('train', whole / 'recipe.yaml')}"
        resume = dlx_command("train", "--resume", whole.name)
        goes_on = f"saved {saved[0]}. Go on with: {resume}" if saved else again
        say(request.console, f"stopped: {goes_on}")
        raise


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Hold a run's directory. Raises: UsageError if another process trains in it."""
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise UsageError(f"{folder} is being trained by another process") from None
    try:
        yield
    finally:
        lock.release()
