"""The list of runs, from what their folders hold, read without MLflow."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dlx.errors import UsageError
from dlx.files import read_json
from dlx.run_folders import FAST_DEV_RUN, run_folders, run_name, stage_folders
from dlx.tracking.spool import SPOOL, is_running, read_state

_FILTER = re.compile(r"^\s*([\w/.\-@]+?)\s*(>=|<=|!=|==|=|>|<)\s*(.*?)\s*$")
MAX_TIME = 253_402_214_400.0
"""Seconds since 1970 to the end of the year 9999, the last one that a date can have."""
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


@dataclass(frozen=True)
class RunSummary:
    """A run in one line, as `dlx runs` prints it.

    state   RUNNING, FINISHED, FAILED, KILLED, or UNREADABLE where its run.json is damaged
    metric  the first metric that its recipe makes a claim about, else one of its test split
    unsent  whether the tracker has not received all of it yet
    fast_dev_run  whether it is a trial of a few steps
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
    fast_dev_run: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    def value_of(self, name: str) -> Any:
        """Return the value of a metric or of a column; None where there is neither."""
        return self.metrics.get(name, vars(self).get(name))


def list_runs(root: Path) -> list[RunSummary]:
    """Return all runs, oldest first, each followed by its stages; damaged ones are UNREADABLE."""
    return [_summarize_run(part) for folder in run_folders(root) for part in (folder, *stage_folders(folder))]


def filter_runs(runs: list[RunSummary], filters: list[str], sort: str | None, limit: int | None) -> list[RunSummary]:
    """Return the runs that match every filter, sorted, the last ones if there are more than the limit.

    A filter is `metric>0.9`, `state=FAILED`, or a part of the run's name. `sort` is a metric or a column, ascending,
    with `-` before it descending; runs without it come first.
    Raises: UsageError for a filter that compares a text with a number.
    """
    for text in filters:
        runs = [run for run in runs if _matches_filter(run, text)]
    if sort is not None:
        name = sort.removeprefix("-")
        having = [run for run in runs if run.value_of(name) is not None]
        try:
            having.sort(key=lambda run: run.value_of(name), reverse=sort.startswith("-"))
        except TypeError:
            raise UsageError(f"runs cannot be sorted by '{name}'") from None
        if runs and not having:
            raise UsageError(f"no run has '{name}'; there are {', '.join(_sortable_columns(runs))}")
        runs = [run for run in runs if run.value_of(name) is None] + having
    return runs[-limit:] if limit else runs


def _sortable_columns(runs: list[RunSummary]) -> list[str]:
    """Return the columns and metrics by which runs can be sorted."""
    own = [name for name, value in vars(runs[0]).items() if not isinstance(value, Mapping)]
    return [*own, *dict.fromkeys(name for run in runs for name in run.metrics)]


def _matches_filter(run: RunSummary, text: str) -> bool:
    found = _FILTER.match(text)
    if found is None:
        return text.lower() in run.run.lower() or text.lower() in run.recipe.lower()
    name, sign, wanted = found.groups()
    value = run.value_of(name)
    if value is None:
        return False
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return _COMPARISONS[sign](float(value), float(wanted))
        except ValueError:
            raise UsageError(f"'{text}' compares {name}, a number, with '{wanted}'") from None
    return _COMPARISONS[sign](str(value).lower(), wanted.lower())


def _summarize_run(folder: Path) -> RunSummary:
    try:
        record = read_json(folder / "run.json")
        metrics = {str(k): float(v) for k, v in record.get("metrics", {}).items()}
        metric, value = _headline_metric(metrics, record.get("verdict", []))
        tracked = read_state(folder)
        began = _time(tracked.creation.get("time", 0) / 1000 if tracked else 0) or _time(record["time"])
        mlflow_run = record.get("mlflow_run") or (tracked.run_id if tracked else None)
        unsent = (folder / SPOOL).exists() and not is_running(folder)
        return RunSummary(
            run_name(folder), _run_state(folder, record), str(record.get("name", "")), began,
            _verdict(record), metric, value, float(record.get("seconds", 0.0)), mlflow_run, metrics, unsent,
            record.get(FAST_DEV_RUN) is True,
        )  # fmt: skip
    except (OSError, ArithmeticError, ValueError, KeyError, TypeError, AttributeError):
        modified = (folder / "run.json").stat().st_mtime
        return RunSummary(run_name(folder), "UNREADABLE", "", modified, "", None, None, 0.0, None, {})


def _time(seconds: Any) -> float:
    """Return seconds since 1970. Raises: ValueError if no date is so far away."""
    found = float(seconds)
    if not 0 <= found <= MAX_TIME:
        raise ValueError(f"{found} is no time")
    return found


def _run_state(folder: Path, record: Mapping[str, Any]) -> str:
    """Return the state of a run; one whose process is gone without having ended it is KILLED."""
    if is_running(folder):
        return "RUNNING"
    known = read_state(folder)
    status = known.status if known is not None else record.get("status", "FINISHED" if record.get("metrics") else "")
    return "KILLED" if status in ("", "RUNNING") else str(status)


def _verdict(record: Mapping[str, Any]) -> str:
    claims = record.get("verdict", [])
    return "" if not claims else "held" if all(claim["held"] for claim in claims) else "failed"


def _headline_metric(metrics: Mapping[str, float], claims: list[Mapping[str, Any]]) -> tuple[str | None, float | None]:
    """Return the metric that is listed: a claimed one, the first of test that is not the loss, any of test, any."""
    claimed = [c["metric"] for c in claims if c["metric"] in metrics]
    tested = sorted((m for m in metrics if m.startswith("test/")), key=lambda m: m.endswith("/loss"))
    best = next(iter([*claimed, *tested, *sorted(metrics)]), None)
    return best, None if best is None else metrics[best]
