"""The run itself: a directory, a tracked run, training, the test, and the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from dlx.data.prepare import Prepared
from dlx.engine.build.experiment import Experiment, build
from dlx.engine.checkpoint import load, sweep
from dlx.engine.data.verify import data_of
from dlx.engine.distributed.collectives import all_gather
from dlx.engine.distributed.processes import together
from dlx.engine.inference.feature_extractor import attach, load_features
from dlx.engine.inference.sampling_time import seconds_of_samples
from dlx.engine.runs.folder import describe, new_folder
from dlx.engine.runs.outcome import Run, judge
from dlx.engine.training.checkpointer import BEST
from dlx.engine.training.figures import draw_all
from dlx.engine.training.fit import Fit, Fitted
from dlx.engine.training.pause import Paused
from dlx.engine.training.progress import watch
from dlx.engine.training.signals import Stoppable, Stopped
from dlx.engine.training.threads import with_fastest
from dlx.engine.training.trainer import quieted
from dlx.errors import UsageError
from dlx.plan import Plan
from dlx.plan.hardware import is_worth_trying
from dlx.plugins import active_plugins
from dlx.rank import is_worker
from dlx.recipe.load import LoadedRecipe
from dlx.tracking.comparison import SAMPLING_SECONDS
from dlx.tracking.record import RunRecord, open_record


def train(plan: Plan, loaded: LoadedRecipe, console: Any, *, root: Path = Path("runs"), fast: bool = False) -> Run:
    """Train a plan and judge what came of it. `fast` runs a few steps of everything and keeps nothing but the proof.

    Raises: UsageError before the first step if nothing can be written; RunError if training fails.
    """
    if is_worker():
        return accompany(build_with_features(plan), fast)
    return start(plan, loaded, new_folder(root, plan.recipe.name), console, fast=fast)


def start(
    plan: Plan,
    loaded: LoadedRecipe,
    folder: Path,
    console: Any,
    *,
    fast: bool = False,
    resumed: str | None = None,
    within: Path | None = None,
    pause_at: int | None = None,
) -> Run:
    """Train a plan from its beginning in a directory of its own, which may lie `within` that of a run of several."""
    prepared = None
    if loaded.recipe.hardware.num_threads == "auto" and is_worth_trying(plan.recipe.hardware, plan.length.steps):
        prepared = data_of(plan)
        plan = plan if fast else with_fastest(plan, prepared)
    stored = loaded.to_stored(plan.resolved)
    describe(folder, plan, loaded, stored)
    going = {"resumed": resumed, "within": within, "pause_at": pause_at}
    return carry_out(plan, stored, folder, console, fast=fast, prepared=prepared, **going)  # type: ignore[arg-type]


def carry_out(
    plan: Plan,
    stored: dict[str, Any],
    folder: Path,
    console: Any,
    *,
    fast: bool = False,
    prepared: Prepared | None = None,
    resumed: str | None = None,
    within: Path | None = None,
    pause_at: int | None = None,
) -> Run:
    """Train in a run's directory, from its newest checkpoint if it has one, and judge what came of it.

    `resumed` is the MLflow id of a run that goes on, or "" if it has none; `within` is the run of which it is a stage.
    `pause_at` is the epoch after which it pauses. Raises: Paused.
    """
    if is_worker():
        return accompany(build_with_features(plan, prepared), fast)
    checkpoints = folder / "checkpoints"
    with alone(folder):
        sweep(checkpoints)
        experiment = build_with_features(plan, prepared)
        record = open_record(plan, folder, stored, resumed, within)
        run = Run(plan.recipe.name, folder, checkpoints / BEST, record.run_id)
        run.write()
        with marked(record):
            carried = carried_by(plan, stored)
            order, give_up = {**carried, "fast": fast}, lambda: record.close("FAILED")
            with quieted(), Stoppable() as stoppable, together(plan, folder, order, give_up):
                fit = Fit(checkpoints, console, record.logger, carried, stoppable, fast, attach, pause_at)
                _conclude(run, fit(experiment), record, fast, console)
                run.notes += fit.notes
        run.notes += record.close("FINISHED")
        run.mlflow_run = record.run_id
        run.write()
    return run


def build_with_features(plan: Plan, prepared: Prepared | None = None) -> Experiment:
    """Build a plan, with the networks of other runs whose features its metrics compare.

    Raises: UsageError if there is no such run, or it takes other data.
    """
    experiment = build(plan, prepared)
    attach(experiment.module, plan)
    load_features(experiment.module)
    return experiment


def accompany(experiment: Experiment, fast: bool, store: Any = None) -> Run:
    """Train together with rank 0, which speaks, writes and tracks for this process."""
    from rich.console import Console

    plan = experiment.plan
    with quieted(), Stoppable() as stoppable, together(plan, store=store) as folder:
        run = Run(plan.recipe.name, folder, folder / "checkpoints" / BEST, None)
        fit = Fit(folder / "checkpoints", Console(quiet=True), None, {}, stoppable, fast, attach)
        fitted = fit(experiment)
        run.seconds = fitted.history.seconds
        run.metrics = _measured(run, fitted, fast)
    return run


def _conclude(run: Run, fitted: Fitted, record: RunRecord, fast: bool, console: Any) -> None:
    """Measure the best weights, hold them against the claims, and draw."""
    watch(fitted.experiment.module, console)
    run.seconds = fitted.history.seconds
    run.metrics = _measured(run, fitted, fast)
    run.verdict = judge(fitted.experiment.plan, run.metrics)
    run.notes += getattr(fitted.experiment.module, "notes", [])
    if fitted.experiment.plan.recipe.train.figures:
        run.pictures, notes = draw_all(run.folder / "pictures", fitted.history.points, fitted.experiment)
        run.notes += notes
    run.sampling_seconds = None if fast else seconds_of_samples(fitted.experiment)
    timed = {} if run.sampling_seconds is None else {SAMPLING_SECONDS: run.sampling_seconds}
    record.finish({**run.metrics, **timed}, run.held if run.verdict else None, run.pictures, run.checkpoint)


def _measured(run: Run, fitted: Fitted, fast: bool) -> dict[str, float]:
    """Return the metrics of the best weights; what was said of the test split comes together at rank 0."""
    trainer, module, batches = fitted.trainer, fitted.experiment.module, fitted.experiment.batches
    module.load_state_dict(load(run.checkpoint)["state_dict"])
    metrics: dict[str, Any] = dict(trainer.callback_metrics)
    if "val" in batches and not fast:
        metrics |= trainer.validate(module, batches["val"], verbose=False)[0]
    if "test" in batches:
        metrics |= trainer.test(module, batches["test"], verbose=False)[0]
        kept: Any = getattr(module, "outputs", None)
        for outputs in all_gather(kept)[1:] if kept is not None else ():
            kept.join(outputs)
    return {k: float(v) for k, v in metrics.items() if "/" in k}


def carried_by(plan: Plan, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return what every checkpoint of the run carries: enough to build the experiment again without its recipe."""
    return {
        "recipe": stored,
        "facts": plan.facts.to_json(),
        "base": str(plan.base.resolve()),
        "plugins": [p.to_json() for p in active_plugins()],
    }


@contextmanager
def marked(record: RunRecord) -> Iterator[None]:
    """Say in the record how a run ended that does not come to its end."""
    try:
        yield
    except (KeyboardInterrupt, Stopped):
        record.close("KILLED")
        raise
    except Paused:
        record.close("SCHEDULED")
        raise
    except BaseException:
        record.close("FAILED")
        raise


@contextmanager
def alone(folder: Path) -> Iterator[None]:
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
