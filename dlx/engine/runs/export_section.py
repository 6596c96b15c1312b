"""The section `export` of a recipe, after the test."""

from __future__ import annotations

from typing import Any

from dlx.engine.build.experiment import Experiment
from dlx.engine.export.export import EXPORTS, export_run
from dlx.engine.runs.outcome import Run
from dlx.errors import DlxError
from dlx.tracking.record import RunRecord


def export_section(experiment: Experiment, run: Run, record: RunRecord, console: Any) -> None:
    """Export the best weights as the recipe says; what cannot be written, or does not agree, is a note of the run."""
    exporters = experiment.plan.recipe.export
    if not exporters:
        return
    try:
        report = export_run(run.checkpoint, experiment.prepared, exporters, run.folder / EXPORTS, console)
    except DlxError as error:
        run.notes.append(f"the run is not exported: {error}")
        return
    run.metrics |= report.figures()
    run.notes += [f"export: {artifact.name}: {why}" for artifact in report.artifacts if (why := artifact.refusal)]
    record.log_files(report.files, EXPORTS)
