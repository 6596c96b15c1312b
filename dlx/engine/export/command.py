"""An export that is asked for after the training: of formats by name, logged with the run."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from dlx.component import Named, types
from dlx.engine.checkpoint import load_checkpoint, metadata_of
from dlx.engine.export.export import EXPORTS, ExportReport, check_exporters, export_run
from dlx.engine.inference.restore import restore
from dlx.errors import UsageError
from dlx.exporters import Exporter
from dlx.tracking.store import FoundRun
from dlx.tracking.sync import add_to_run

DEFAULT = QUANTIZED = "onnx"


def export(
    run: FoundRun, formats: Sequence[str] | Mapping[str, Any], folder: Path | None, quantize: str | None, console: Any
) -> ExportReport:
    """Export a run, and log figures and files with it."""
    own = run.checkpoint.parent.parent
    exporters = read_exporters(_choose_formats(run, formats, quantize))
    report = export_run(run.checkpoint, None, exporters, folder or own / EXPORTS, console)
    unsent = add_to_run(own, report.figures(), report.files, EXPORTS)
    return report if unsent is None else replace(report, notes=[*report.notes, f"not in MLflow yet: {unsent}"])


def benchmark(run: FoundRun, console: Any) -> ExportReport:
    """Try a run in every format, and write nothing; a format that refuses it is left out, and named in the notes."""
    plan, notes, exporters = restore(run.checkpoint).plan, [], {}
    for name in types("exporters"):
        try:
            one = read_exporters({name: {"quantize": "int8_static"} if name == QUANTIZED else {}})
            check_exporters(one, plan)
            exporters.update(one)
        except UsageError as error:
            notes.append(str(error))
    with tempfile.TemporaryDirectory(prefix="dlx-export-") as folder:
        report = export_run(run.checkpoint, None, exporters, Path(folder), console)
    artifacts = [replace(artifact, files=()) for artifact in report.artifacts]
    return replace(report, artifacts=artifacts, notes=[*notes, *report.notes])


def _choose_formats(run: FoundRun, formats: Sequence[str] | Mapping[str, Any], quantize: str | None) -> dict[str, Any]:
    """Return the options of the formats that are named; else those of the recipe, or ONNX."""
    own = metadata_of(load_checkpoint(run.checkpoint))["recipe"].get("export") or {DEFAULT: {}}
    named = dict(formats) if isinstance(formats, Mapping) else {name: own.get(name, {}) for name in formats}
    wanted = named or dict(own)
    if quantize is not None:
        wanted[QUANTIZED] = {**wanted.get(QUANTIZED, {}), "quantize": quantize}
    return wanted


def read_exporters(wanted: Mapping[str, Any]) -> dict[str, Exporter]:
    """Return exporters by their names. Raises: UsageError if one is unknown, not installed, or has wrong options."""
    try:
        return TypeAdapter(Named[Exporter]).validate_python(dict(wanted))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        suggestion = first.get("ctx", {}).get("suggestion")
        hint = f"; did you mean {suggestion}?" if suggestion and first["type"] == "unknown_type" else ""
        install = f"; install it: {suggestion}" if suggestion and first["type"] == "missing_package" else ""
        raise UsageError(f"export: {first['msg']}{hint}{install}") from None
