"""The study as a run of its own: its folder's run.json, and the parent of its trials in MLflow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dlx.engine.runs.outcome import Run
from dlx.engine.training.checkpointer import BEST
from dlx.plan import Plan
from dlx.studies.folder import StudyFolder
from dlx.studies.report import SweepReport
from dlx.tracking.record import RunRecord, open_record


@dataclass
class StudyRecord:
    """What MLflow knows of a study, and what its folder says of it."""

    run: Run
    record: RunRecord

    @contextmanager
    def close_on_error(self) -> Iterator[None]:
        """Say in the record how a study ended that does not come to its end."""
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            self.close("KILLED")
            raise
        except BaseException:
            self.close("FAILED")
            raise

    def close(self, status: str) -> None:
        """End the record."""
        self.run.notes += self.record.close(status)
        self.run.mlflow_run, self.run.status = self.record.run_id, status
        self.run.write()


def study_record(plan: Plan, study: StudyFolder, resumed: bool) -> StudyRecord:
    """Begin to track a study, or go on with it."""
    stored = study.loaded.to_stored(plan.resolved)
    record = open_record(plan, study.path, stored, "" if resumed else None)
    run = Run(plan.recipe.name, study.path, study.path / "checkpoints" / BEST, record.run_id)
    run.write()
    return StudyRecord(run, record)


def finish_record(record: StudyRecord, study: StudyFolder, report: SweepReport, figures: list[Path]) -> Run:
    """Write down the best trial: its metrics are those of the study, and its checkpoint the study's."""
    run, best = record.run, report.best[0] if report.best else None
    if best is not None:
        folder = study.path / report.run_of(best)
        run.checkpoint = folder / "checkpoints" / BEST
        run.metrics = report.metrics
        run.seconds = sum(t.seconds for t in report.trials.values())
    run.verdict = report.claims
    checkpoint = run.checkpoint if run.checkpoint.exists() else None
    record.record.finish(run.metrics, run.claims_hold if run.verdict else None, figures, checkpoint)
    record.close("FINISHED")
    return run
