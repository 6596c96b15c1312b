"""A sweep from its first trial to its figures: workers, a live table, and what came of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dlx.data.prepare import Prepared
from dlx.errors import RunError, UsageError
from dlx.files import touch
from dlx.recipe.load import LoadedRecipe
from dlx.studies.display import Display
from dlx.studies.folder import StudyFolder, create_study, open_study
from dlx.studies.record import finish_record, study_record
from dlx.studies.report import SweepReport, draw_sweep, report_of
from dlx.studies.worker import STOP, Worker, worker_of

POLL_SECONDS = 0.2
GRACE_SECONDS = 30.0
"""Time in which workers save what they train when the study is interrupted."""


@dataclass(frozen=True)
class SweepOptions:
    """How a sweep is carried out.

    console  where it speaks
    workers  how many trials are trained at once; None is as the recipe says, or as many as a cluster has room for
    root     the folder with the runs
    on       the cluster that trains the trials: "ray"; None is this machine
    """

    console: Any
    workers: int | None = None
    root: Path = Path("runs")
    on: Literal["ray"] | None = None


def sweep(loaded: LoadedRecipe, options: SweepOptions, data: Prepared | None = None) -> SweepReport:
    """Carry out the search of a study from its beginning; its data may be in memory.

    Raises: UsageError, RecipeError, DataError.
    """
    if loaded.study is None or loaded.study.sweep is None:
        raise UsageError("the recipe has no section `sweep`: say what is searched, such as over: {optimizer.lr: …}")
    return _execute(create_study(loaded, options.root), options, resumed=False, data=data)


def resume_sweep(name: str, options: SweepOptions) -> SweepReport:
    """Go on with a study that was interrupted, or join one that others work on. Raises: UsageError."""
    study = open_study(name, options.root)
    (study.path / STOP).unlink(missing_ok=True)
    return _execute(study, options, resumed=True)


def sweep_status(name: str, root: Path) -> SweepReport:
    """Return what a sweep has found so far. Raises: UsageError if there is none of this name."""
    return _make_report(worker_of(open_study(name, root)))


def stop_sweep(name: str, root: Path) -> StudyFolder:
    """Ask the workers of a study to stop after the trial in hand. Raises: UsageError if there is no such study."""
    study = open_study(name, root)
    touch(study.path / STOP)
    return study


def _execute(study: StudyFolder, options: SweepOptions, resumed: bool, data: Prepared | None = None) -> SweepReport:
    count = options.workers or study.sweep.workers
    worker = worker_of(study, data if count == 1 else None)
    record = study_record(worker.plan, study, resumed)
    with record.close_on_error(), Display(study, worker.scheduler, worker.trainer.monitor, options.console) as display:
        if options.on is not None:
            from dlx.studies.ray_tasks import train_on_ray

            train_on_ray(worker, options.workers, lambda: display.update(study.journal.read()))
        elif count == 1:
            worker.tell = display.update
            worker.work()
        else:
            with _start_workers(study.path, count) as processes:
                _wait(processes, lambda: display.update(study.journal.read()))
    report = _make_report(worker)
    if not report.best and report.counts["failed"]:
        failed = next(t for t in report.trials.values() if t.status == "failed")
        record.close("FAILED")
        raise RunError(f"no trial came to an end; trial {failed.number}: {failed.reason}")
    figures = draw_sweep(study.sweep, report, study.loaded.recipe.train.epochs, study.path / "figures")
    finish_record(record, study, report, figures)
    return report


def _make_report(worker: Worker) -> SweepReport:
    return report_of(worker.study, worker.trainer.monitor, worker.scheduler)


@contextmanager
def _start_workers(folder: Path, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start workers of their own; whatever ends this process asks them to save and ends them."""
    path = os.pathsep.join(filter(None, sys.path))
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "dlx.studies.worker", str(folder.absolute())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C is for this process, which tells the workers
        )
        for _ in range(count)
    ]
    try:
        yield started
    finally:
        for process in started:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        until = time.monotonic() + GRACE_SECONDS
        for process in started:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(processes: list[subprocess.Popen[bytes]], update: Any) -> None:
    """Wait for the workers. Raises: RunError if all of them died."""
    while any(process.poll() is None for process in processes):
        update()
        time.sleep(POLL_SECONDS)
    update()
    if all(process.returncode for process in processes):
        stderr = processes[0].stderr
        lines = stderr.read().decode(errors="replace").strip().splitlines() if stderr is not None else []
        raise RunError(f"every worker died: {lines[-1] if lines else processes[0].returncode}")
