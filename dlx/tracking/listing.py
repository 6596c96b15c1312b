"""What the directories of runs say about themselves, read without MLflow."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dlx.errors import UsageError
from dlx.run_folders import run_folders, run_name, stage_folders
from dlx.tracking.spool import SPOOL, is_running, read_state

_FILTER = re.compile(r"^\s*([\w/.\-@]+?)\s*(>=|<=|!=|==|=|>|<)\s*(.*?)\s*$")
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


@dataclass(frozen=True)
class Listed:
    """A run in one line: `metric` is the first that its recipe makes a claim about, else one of its test split.

    state   RUNNING, FINISHED, FAILED, KILLED, or UNREADABLE where its record is damaged
    unsent  whether the tracker has not taken all of it yet
    """

    run: str
    state: str
    recipe: str
    time: float
    verdict: str
    metric: str | None
    value: float | None
    seconds: float
    mlflow_run: str | None
    metrics: dict[str, float]
    unsent: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    def known(self, name: str) -> Any:
        """Return a metric, or what stands in a column; None where there is neither."""
        return self.metrics.get(name, vars(self).get(name))


def list_runs(root: Path) -> list[Listed]:
    """Return all runs, oldest first, each followed by its stages; one whose record cannot be read is listed as such."""
    return [_listed(part) for folder in run_folders(root) for part in (folder, *stage_folders(folder))]


def chosen(runs: list[Listed], filters: list[str], sort: str | None, limit: int | None) -> list[Listed]:
    """Return the runs that pass every filter, in order, the last ones if there are too many.

    A filter is `metric>0.9`, `state=FAILED`, or a text that stands in the run's name. `sort` is a metric or a column,
    from small to large, with `-` before it from large to small; runs without it come first.
    Raises: UsageError for a filter that compares a text with a number.
    """
    for text in filters:
        runs = [run for run in runs if _passes(run, text)]
    if sort is not None:
        name = sort.removeprefix("-")
        having = [run for run in runs if run.known(name) is not None]
        try:
            having.sort(key=lambda run: run.known(name), reverse=sort.startswith("-"))
        except TypeError:
            raise UsageError(f"runs cannot be sorted by '{name}'") from None
        if runs and not having:
            raise UsageError(f"no run has '{name}'; there are {', '.join(_columns(runs))}")
        runs = [run for run in runs if run.known(name) is None] + having
    return runs[-limit:] if limit else runs


def _columns(runs: list[Listed]) -> list[str]:
    """Return by what runs can be sorted: what is a text or a number of each, and the metrics of any."""
    own = [name for name, value in vars(runs[0]).items() if not isinstance(value, Mapping)]
    return [*own, *dict.fromkeys(name for run in runs for name in run.metrics)]


def _passes(run: Listed, text: str) -> bool:
    found = _FILTER.match(text)
    if found is None:
        return text.lower() in run.run.lower() or text.lower() in run.recipe.lower()
    name, sign, wanted = found.groups()
    value = run.known(name)
    if value is None:
        return False
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return _COMPARED[sign](float(value), float(wanted))
        except ValueError:
            raise UsageError(f"'{text}' compares {name}, a number, with '{wanted}'") from None
    return _COMPARED[sign](str(value).lower(), wanted.lower())


def _listed(folder: Path) -> Listed:
    try:
        record = json.loads((folder / "run.json").read_text())
        metrics = {str(k): float(v) for k, v in record.get("metrics", {}).items()}
        telling, value = _telling(metrics, record.get("verdict", []))
        tracked = read_state(folder)
        began = tracked.opening.get("time", 0) / 1000 if tracked else 0
        mlflow_run = record.get("mlflow_run") or (tracked.run_id if tracked else None)
        unsent = (folder / SPOOL).exists() and not is_running(folder)
        return Listed(
            run_name(folder), _state(folder, metrics), record.get("name", ""), began or record["time"],
            _verdict(record), telling, value, record.get("seconds", 0.0), mlflow_run, metrics, unsent,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        modified = (folder / "run.json").stat().st_mtime
        return Listed(run_name(folder), "UNREADABLE", "", modified, "", None, None, 0.0, None, {})


def _state(folder: Path, metrics: Mapping[str, float]) -> str:
    """Return how a run ended, or that it goes on; one whose process is gone without a word was killed."""
    if is_running(folder):
        return "RUNNING"
    known = read_state(folder)
    if known is None:
        return "FINISHED" if metrics else "KILLED"
    return "KILLED" if known.status == "RUNNING" else known.status


def _verdict(record: Mapping[str, Any]) -> str:
    claims = record.get("verdict", [])
    return "" if not claims else "held" if all(claim["held"] for claim in claims) else "failed"


def _telling(metrics: Mapping[str, float], claims: list[Mapping[str, Any]]) -> tuple[str | None, float | None]:
    """Choose the metric that says most: a claimed one, one of test that is not the loss, any of test, any."""
    claimed = [c["metric"] for c in claims if c["metric"] in metrics]
    tested = sorted((m for m in metrics if m.startswith("test/")), key=lambda m: (m.endswith("/loss"), m))
    best = next(iter([*claimed, *tested, *sorted(metrics)]), None)
    return best, None if best is None else metrics[best]
