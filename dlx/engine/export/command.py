"""An export that is asked for after the training: of formats by name, logged with the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from dlx.component import Named
from dlx.engine.checkpoint import load_checkpoint, metadata_of
from dlx.engine.export.export import EXPORTS, ExportReport, export_run
from dlx.errors import UsageError
from dlx.exporters import Exporter
from dlx.tracking.store import FoundRun
from dlx.tracking.sync import add_to_run

DEFAULT = "onnx"


def export(
    run: FoundRun, formats: Sequence[str] | Mapping[str, Any], folder: Path | None, console: Any
) -> ExportReport:
    """Export a run, and log figures and files with it."""
    exporters = _exporters(run, formats)
    report = export_run(run.checkpoint, None, exporters, folder or run.checkpoint.parent.parent / EXPORTS, console)
    unsent = add_to_run(run.checkpoint.parent.parent, report.figures(), report.files, EXPORTS)
    return report if unsent is None else replace(report, notes=[*report.notes, f"not in MLflow yet: {unsent}"])


def _exporters(run: FoundRun, formats: Sequence[str] | Mapping[str, Any]) -> Mapping[str, Exporter]:
    """Return the exporters that are named; else those of the recipe, or ONNX."""
    own = metadata_of(load_checkpoint(run.checkpoint))["recipe"].get("export") or {DEFAULT: {}}
    wanted = {name: own.get(name, {}) for name in formats} if not isinstance(formats, Mapping) else formats
    try:
        return TypeAdapter(Named[Exporter]).validate_python(wanted or own)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        suggestion = first.get("ctx", {}).get("suggestion")
        hint = f"; did you mean {suggestion}?" if suggestion and first["type"] == "unknown_type" else ""
        install = f"; install it: {suggestion}" if suggestion and first["type"] == "missing_package" else ""
        raise UsageError(f"export: {first['msg']}{hint}{install}") from None
