"""One tracked run, opened before the first step and closed whatever happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlx.plan import Plan
from dlx.tracking.logger import MLflowTracker


@dataclass
class Record:
    """The run as MLflow has it; without a tracker every call does nothing."""

    logger: MLflowTracker | None
    notes: list[str]

    @property
    def run_id(self) -> str | None:
        """The MLflow run id."""
        return self.logger.run_id if self.logger else None

    def finish(self, metrics: Mapping[str, float], held: bool | None, pictures: list[Path], checkpoint: Path) -> None:
        """Log the final metrics, the verdict, the pictures and the best checkpoint."""
        if self.logger is None:
            return
        final = {k: v for k, v in metrics.items() if k.startswith("test/")}
        self.logger.log_metrics(final)
        if held is not None:
            self.logger.set_tag("dlx.verdict", "held" if held else "failed")
        for picture in pictures:
            self.logger.log_file(picture, "pictures")
        if checkpoint.exists():
            self.logger.log_file(checkpoint, "checkpoints")

    def close(self, status: str) -> list[str]:
        """End the run and return what could not be tracked, as sentences."""
        if self.logger is None:
            return self.notes
        self.logger.close(status)
        lost = self.logger.failures
        return [*self.notes, *([f"{len(lost)} calls to the tracker failed: {lost[0]}"] if lost else [])]


def open_record(plan: Plan, folder: Path, stored: Mapping[str, Any]) -> Record:
    """Start tracking a run. A tracker that is not there is said, not raised: training goes on."""
    recipe, tracking = plan.recipe, plan.recipe.tracking
    tags = {**tracking.tags, "dlx.recipe": recipe.name, "dlx.folder": str(folder), "dlx.data": plan.facts.fingerprint}
    if recipe.description:
        tags["mlflow.note.content"] = recipe.description
    try:
        logger = MLflowTracker(tracking.experiment or recipe.name, folder.name, tracking.uri, tags)
    except Exception as error:  # no server, no disk, a locked database: the run is worth more than its record
        return Record(None, [f"the run is not tracked: {str(error).splitlines()[0]}"])
    logger.log_params(_flat({k: v for k, v in stored.items() if k not in ("expect", "tracking")}))
    logger.log_metrics(plan.quantities)
    for name in ("recipe.yaml", "resolved.yaml", "lock.json"):
        logger.log_file(folder / name)
    return Record(logger, [])


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Return nested values under dotted names; a component's type stands under its own name."""
    if isinstance(value, dict):
        pairs = [(k, v) for k, v in value.items()]
        merged: dict[str, Any] = {}
        for key, inner in pairs:
            name = prefix if key == "type" and prefix else f"{prefix}.{key}" if prefix else key
            merged |= _flat(inner, name)
        return merged
    return {} if value is None or value in ([], "") else {prefix: value}
