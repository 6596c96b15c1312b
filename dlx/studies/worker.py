"""A worker: takes one trial after the other, trains it to its next rung, and writes down what came of it.

Workers know nothing of each other but the journal; any number of them, on any machine that shares the folder, may join.
What is imported, and the data, stay from one trial to the next.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dlx.data.prepare import Prepared
from dlx.engine.training.trainer import silence_lightning
from dlx.errors import DlxError
from dlx.plan import Plan, make
from dlx.plan.plan import is_better_higher
from dlx.plan.study import load_trial
from dlx.studies.folder import StudyFolder, open_study
from dlx.studies.journal import Trial
from dlx.studies.leases import Lease, is_alive
from dlx.studies.scheduling import Job, Scheduler
from dlx.studies.training import SharedData, Trainer

WAIT_SECONDS = 0.2
"""Between two looks into the journal, where all that is left is trained by others."""
STOP = "stop"
"""A file of this name in the folder of a study asks its workers to stop after the trial in hand."""

Left = Literal["trained", "others", "nothing"]
"""What a worker found: a trial, which it trained; only trials that others train, and may come back; or nothing."""


@contextmanager
def frozen_imports() -> Iterator[None]:
    """Let garbage collection skip what is in memory now: torch, Lightning and MLflow are a million objects, to go
    through which takes longer than a short trial.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@dataclass
class Worker:
    """Trains trials of a sweep until there are none left.

    plan   of the recipe itself
    tell   called after everything that happens, with the trials as they are then
    """

    study: StudyFolder
    plan: Plan
    scheduler: Scheduler
    trainer: Trainer
    tell: Callable[[dict[int, Trial]], object] = lambda trials: None

    def work(self) -> None:
        """Work until every trial is finished, or somebody asks to stop."""
        with Lease(self.study.path) as lease, frozen_imports(), silence_lightning():
            while (left := self.train_next(lease)) != "nothing":
                time.sleep(WAIT_SECONDS if left == "others" else 0)

    def train_next(self, lease: Lease) -> Left:
        """Train what comes next, if there is something, and return what there was to do."""
        if (self.study.path / STOP).exists():
            return "nothing"
        job, busy = self._take(lease.name)
        if job is not None:
            self._train_job(job)
            return "trained"
        return "others" if busy else "nothing"

    def _take(self, worker: str) -> tuple[Job | None, bool]:
        """Return what to do next, and whether another worker still trains something."""
        journal = self.study.journal
        with journal.transaction() as trials:
            job = self.scheduler.next_job(trials, lambda name: is_alive(self.study.path, name))
            if job is not None and job.begins:
                journal.append("begin", job.number, params=dict(job.params), worker=worker)
            elif job is not None:
                journal.append("continue", job.number, worker=worker)
            return job, any(trial.status == "running" for trial in trials.values())

    def _train_job(self, job: Job) -> None:
        began = time.monotonic()
        try:
            outcome = self.trainer.train(load_trial(self.study.loaded, job.params), job)
        except (DlxError, MemoryError) as error:
            self._append_event("fail", job.number, reason=_reason(error), seconds=time.monotonic() - began)
            return
        event = "pause" if outcome.paused else "finish"
        seconds = time.monotonic() - began
        self._append_event(event, job.number, value=outcome.value, metrics=outcome.metrics, seconds=seconds)

    def _append_event(self, event: str, number: int, **fields: Any) -> None:
        with self.study.journal.transaction():
            self.study.journal.append(event, number, **fields)
        trials = self.study.journal.read()
        self.trainer.drop_checkpoints(self.scheduler, trials)
        self.tell(trials)


def _reason(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def worker_of(study: StudyFolder, data: Prepared | None = None) -> Worker:
    """Return a worker for a study, whose data may be in memory; its trainings say nothing themselves.

    Raises: UsageError if it does not search.
    """
    sweep, plan = study.sweep, make(study.loaded)
    monitor = sweep.monitor or plan.recipe.task.monitor
    maximize = is_better_higher(plan, monitor)
    space = sweep.space
    sampler = sweep.search.build(space, study.loaded.recipe.seed, maximize)
    scheduler = Scheduler(sweep, maximize, sweep.search.limit(space), sampler.propose)
    trainer = Trainer(study, sweep, monitor, maximize, SharedData(plan.prepared or data))
    return Worker(study, plan, scheduler, trainer)


def main() -> None:
    """Work on the study in the folder that the command line names; started by `dlx sweep` for each further worker."""
    from dlx.plugins import activate_plugins

    activate_plugins()
    worker_of(open_study(sys.argv[1], Path())).work()


if __name__ == "__main__":
    main()
