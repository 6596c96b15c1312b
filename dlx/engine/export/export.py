"""The story of an export: a run is restored, written in each format, tried there, and kept if it agrees."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from dlx.console import say
from dlx.data.prepare import Prepared
from dlx.engine.build.experiment import build_test_batches
from dlx.engine.checkpoint import load_checkpoint, metadata_of
from dlx.engine.data.batches import Batches
from dlx.engine.export.function import HARDWARE, RunFunction, dynamic_shapes, traced_batch
from dlx.engine.export.inputs import plan_inputs
from dlx.engine.export.metadata import artifact_metadata, tokenizers_file
from dlx.engine.export.module_runtime import ModuleRuntime
from dlx.engine.export.proof import (
    Proof,
    artifact_predictions,
    input_arrays,
    measure,
    prove,
    run_predictions,
)
from dlx.engine.inference.evaluate import read_own_data
from dlx.engine.inference.restore import RestoredRun, restore
from dlx.engine.rng import random_state, restore_random_state
from dlx.errors import RunError, UsageError
from dlx.exporters import Exportable, Exporter, variants_by_name
from dlx.files import copy_file
from dlx.plan import Plan
from dlx.plan.context import PlanContext

OF_EXACT = ("agreement", "max_abs_difference")
"""Figures of all artifacts together in which approximations, such as quantized graphs, have no part."""
EXPORTS = "export"
"""Folder of artifacts in a run's directory, and of its record."""


@dataclass(frozen=True)
class Artifact:
    """A run in one format: its files, the proof, and why it was not written, if so."""

    name: str
    files: Sequence[Path] = ()
    proof: Proof | None = None
    size: int = 0
    is_exact: bool = True
    refusal: str | None = None

    def figures(self) -> dict[str, float]:
        """Return what was measured of it."""
        return {**self.proof.figures(), "size": float(self.size)} if self.proof is not None else {}


@dataclass(frozen=True)
class ExportReport:
    """Every artifact of a run, measured on the samples of a split."""

    run: Path
    folder: Path
    split: str
    samples: int
    artifacts: Sequence[Artifact]
    run_latency: Mapping[int, float]
    run_metrics: Mapping[str, float]
    lower_is_better: Sequence[str] = ()
    notes: Sequence[str] = field(default_factory=list)

    @property
    def files(self) -> list[Path]:
        """Every file that was written."""
        return list(dict.fromkeys(path for artifact in self.artifacts for path in artifact.files))

    def figures(self) -> dict[str, float]:
        """Return all figures by the names that `expect` has for them: of each artifact, and of all together."""
        each = {f"export/{a.name}/{name}": value for a in self.artifacts for name, value in a.figures().items()}
        together: dict[str, list[float]] = {}
        for artifact in self.artifacts:
            for name, value in artifact.figures().items():
                if artifact.is_exact or name not in OF_EXACT:
                    together.setdefault(name, []).append(value)
        together.pop("size", None)
        return {**{f"export/{name}": self._summary(name, values) for name, values in together.items()}, **each}

    def _summary(self, name: str, values: list[float]) -> float:
        """Return the figure of all artifacts: the worst, but of latency that of the fastest."""
        lowest_is_worst = name == "agreement" or (
            name.endswith("_change") and name.removesuffix("_change") not in self.lower_is_better
        )
        return min(values) if lowest_is_worst or name.startswith("latency_ratio") else max(values)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        rows = [
            {"name": a.name, "files": [str(f) for f in a.files], "refusal": a.refusal, "figures": a.figures()}
            for a in self.artifacts
        ]
        return {
            "run": str(self.run), "folder": str(self.folder), "split": self.split, "samples": self.samples,
            "artifacts": rows, "notes": list(self.notes),
        }  # fmt: skip


def check_exporters(exporters: Mapping[str, Exporter], plan: Plan) -> None:
    """Raise UsageError with all that cannot be exported of a run."""
    context = PlanContext(plan.recipe, plan.network_facts, plan.facts, networks=plan.networks)
    problems = [problem for exporter in exporters.values() for problem in exporter.check(context)]
    if problems:
        raise UsageError("; ".join(str(problem) for problem in problems))


@contextmanager
def restored_for_export(checkpoint: Path) -> Iterator[RestoredRun]:
    """Restore a run on the CPU; random numbers go on behind as if it had not been."""
    random = random_state()
    try:
        restored = restore(checkpoint, HARDWARE)
        if restored.plan.recipe.hardware.precision == 64:
            restored.module.double()
        yield restored
    finally:
        restore_random_state(random)


def export_run(
    checkpoint: Path, prepared: Prepared | None, exporters: Mapping[str, Exporter], folder: Path, console: Any
) -> ExportReport:
    """Export a run in every format, try each artifact on the test split, and write those that agree into a folder.

    prepared  the run's data; None where they are still to be read
    Raises: UsageError if the run cannot be exported; DataError; CheckpointError.
    """
    with restored_for_export(checkpoint) as restored:
        check_exporters(exporters, restored.plan)
        notes = list(restored.notes)
        if prepared is None:
            prepared = read_own_data(restored.plan, checkpoint, notes)
        split = next(name for name in ("test", "val", "train") if len(prepared.rows[name]))
        evaluated = build_test_batches(
            restored.plan, replace(prepared, rows={**prepared.rows, "test": prepared.rows[split]})
        )
        job = ExportJob(restored, evaluated, prepared.rows["train"], folder, console)
        artifacts = [job.export(name, exporter) for name, exporter in variants_by_name(exporters).items()]
        directions = restored.plan.recipe.task.metric_names(restored.plan.network_facts)
        lower = [name for name, direction in directions.items() if direction == "lower"]
        return ExportReport(
            checkpoint, folder, split, len(evaluated.rows), artifacts, job.run.latency, job.run.metrics, lower, notes
        )


class ExportJob:
    """A restored run with the batches on which its artifacts are tried."""

    def __init__(
        self, restored: RestoredRun, evaluated: Batches, train_rows: np.ndarray, folder: Path, console: Any
    ) -> None:
        self.plan, self.module, self.checkpoint = restored.plan, restored.module, restored.checkpoint
        self.batches, self.folder, self.console = replace(evaluated, transforms=[]), folder, console
        self.inputs, self.train_rows = plan_inputs(self.plan), train_rows
        self.exportable = self._exportable()
        say(console, f"export      {self.plan.recipe.name}: {len(evaluated.rows):,} samples predicted by the run …")
        runtime = ModuleRuntime(self.exportable.function, self.exportable.names)
        found = run_predictions(self.module, evaluated)
        self.run = measure(found, runtime, self.module, self.batches, self.inputs)

    def _exportable(self) -> Exportable:
        content = metadata_of(load_checkpoint(self.checkpoint))
        function = RunFunction(self.module, self.plan).eval()
        return Exportable(
            function,
            [entry.name for entry in self.inputs],
            traced_batch(next(iter(self.batches)), self.inputs),
            dynamic_shapes(self.inputs),
            self.module.state_dict(),
            artifact_metadata(self.plan, content, self.checkpoint),
            self._calibration,
            self._restore,
        )

    def _calibration(self, samples: int) -> Iterator[Mapping[str, np.ndarray]]:
        """Yield train samples, drawn by the recipe's seed, as inputs of an artifact."""
        generator = np.random.default_rng(self.plan.recipe.seed)
        rows = generator.permutation(self.train_rows)[:samples]
        yield from (input_arrays(batch, self.inputs) for batch in replace(self.batches, rows=rows))

    def _restore(self, path: Path) -> ModuleRuntime:
        with restored_for_export(path) as again:
            return ModuleRuntime(RunFunction(again.module, again.plan), self.exportable.names)

    def export(self, name: str, exporter: Exporter) -> Artifact:
        """Write an artifact into a temporary folder, try it there, and move it to where it is wanted if it agrees."""
        say(self.console, f"export      {name}: {exporter.artifact_name} is written and tried …")
        with tempfile.TemporaryDirectory(prefix="dlx-export-") as temporary:
            try:
                files = exporter.write(self.exportable, Path(temporary))
                proof = self._try(exporter, files[0])
            except RunError as error:
                return Artifact(name, refusal=str(error))
            size = sum(path.stat().st_size for path in files)
            if not exporter.accepts(proof.is_close, proof.agreement):
                return Artifact(name, (), proof, size, exporter.is_exact, _disagreement(proof))
            return Artifact(name, self._keep(files), proof, size, exporter.is_exact)

    def _try(self, exporter: Exporter, path: Path) -> Proof:
        runtime = exporter.open(path, self.exportable)
        try:
            found = artifact_predictions(runtime, self.batches, self.inputs)
            measured = measure(found, runtime, self.module, self.batches, self.inputs)
        finally:
            runtime.close()
        return prove(measured, self.run, self.plan, exporter)

    def _keep(self, files: Sequence[Path]) -> list[Path]:
        written = []
        for path in files:
            copy_file(path, self.folder / path.name)
            written.append(self.folder / path.name)
        return [*written, *tokenizers_file(self.plan, self.folder)]


def _disagreement(proof: Proof) -> str:
    figures = f"{proof.agreement:.2%} of the samples agree, the largest difference is {proof.max_abs_difference:.3g}"
    return f"it does not agree with its run: {figures}"
