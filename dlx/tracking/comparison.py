"""Comparison of runs: the differences of their recipes, their metrics, and their learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlx.errors import UsageError
from dlx.files import read_json
from dlx.os_errors import os_reason
from dlx.run_folders import final_folder, run_name
from dlx.tracking.spool import read_state
from dlx.tracking.store import mlflow_client, tracker_uri

ABSENT = None
SAMPLING_SECONDS = "sampling_seconds"
"""How long a run takes to make some samples; the metric's name here and in the tracker."""
Points = list[tuple[int, float]]


@dataclass(frozen=True)
class Comparison:
    """Runs side by side: recipe fields that differ, and all metrics, each with one value for every run."""

    runs: tuple[str, ...]
    recipe: dict[str, list[Any]]
    metrics: dict[str, list[float | None]]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"runs": list(self.runs), "recipe": self.recipe, "metrics": self.metrics}


def compare_runs(folders: Sequence[Path]) -> Comparison:
    """Compare runs, those with stages by the recipe of the last one.

    Raises: UsageError if one has no recipe or no record.
    """
    recipes = [flatten(resolved_recipe(folder)) for folder in folders]
    metrics = [run_metrics(folder) for folder in folders]
    differing = {k: v for k, v in _by_run(recipes).items() if any(value != v[0] for value in v)}
    return Comparison(tuple(run_name(f) for f in folders), differing, _by_run(metrics))


def _by_run(values: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for one in values for name in one)
    return {name: [one.get(name, ABSENT) for one in values] for name in names}


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Return nested values under dotted names; the type of a component stands under the component's own name."""
    if not isinstance(value, dict):
        return {} if value is None or value in ([], "") else {prefix: value}
    merged: dict[str, Any] = {}
    for key, inner in value.items():
        merged |= flatten(inner, prefix if key == "type" and prefix else f"{prefix}.{key}" if prefix else key)
    return merged


def resolved_recipe(folder: Path) -> Any:
    """Return the resolved recipe of a run, of its last stage if it has some. Raises: UsageError if there is none."""
    from dlx.recipe.yaml.document import read

    try:
        return read(final_folder(folder) / "resolved.yaml").root.plain()
    except OSError as error:
        raise UsageError(f"{folder} has no recipe that can be read: {os_reason(error)}") from None


def run_metrics(folder: Path) -> dict[str, float]:
    """Return the metrics of a run. Raises: UsageError if its run.json cannot be read."""
    try:
        record = read_json(folder / "run.json")
        found = {**record.get("metrics", {}), SAMPLING_SECONDS: record.get("sampling_seconds")}
        return {str(k): float(v) for k, v in sorted(found.items()) if v is not None}
    except (OSError, ArithmeticError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{folder}: its record cannot be read: {error}") from None


def learning_curves(folder: Path) -> dict[str, Points]:
    """Return the points of every metric that has several. Raises: UsageError if the tracker does not answer."""
    state = read_state(final_folder(folder))
    if state is None or state.run_id is None:
        return {}
    try:
        tracker = mlflow_client(tracker_uri(state.uri))
        names = [n for n in tracker.get_run(state.run_id).data.metrics if not n.startswith(("plan/", "test/"))]
        found = {n: [(m.step, m.value) for m in tracker.get_metric_history(state.run_id, n)] for n in names}
    except Exception as error:  # whatever the tracker does, it is said in one sentence
        raise UsageError(f"the learning curves of {folder.name} cannot be read: {error}") from None
    return {name: sorted(points) for name, points in found.items() if len(points) > 1}
