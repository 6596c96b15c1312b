"""What the directories of runs say about themselves, read without MLflow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dlx.tracking.store import run_folders


@dataclass(frozen=True)
class Listed:
    """A run in one line: `metric` is the first that its recipe makes a claim about, else one of its test split."""

    run: str
    time: float
    verdict: str
    metric: str | None
    value: float | None
    seconds: float
    mlflow_run: str | None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def list_runs(root: Path) -> list[Listed]:
    """Return all runs, oldest first; one whose record cannot be read is listed as such."""
    return [_listed(folder) for folder in run_folders(root)]


def _listed(folder: Path) -> Listed:
    try:
        record = json.loads((folder / "run.json").read_text())
        metric, value = _telling(record.get("metrics", {}), record.get("verdict", []))
        verdict = _verdict(record)
        return Listed(
            folder.name, record["time"], verdict, metric, value, record.get("seconds", 0.0), record.get("mlflow_run")
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Listed(folder.name, (folder / "run.json").stat().st_mtime, "unreadable", None, None, 0.0, None)


def _verdict(record: Mapping[str, Any]) -> str:
    if not record.get("metrics"):
        return "unfinished"
    claims = record.get("verdict", [])
    return "" if not claims else "held" if all(claim["held"] for claim in claims) else "failed"


def _telling(metrics: Mapping[str, float], claims: list[Mapping[str, Any]]) -> tuple[str | None, float | None]:
    """Choose the metric that says most: a claimed one, one of test that is not the loss, any of test, any."""
    claimed = [c["metric"] for c in claims if c["metric"] in metrics]
    tested = sorted((m for m in metrics if m.startswith("test/")), key=lambda m: (m.endswith("/loss"), m))
    best = next(iter([*claimed, *tested, *sorted(metrics)]), None)
    return best, None if best is None else metrics[best]
