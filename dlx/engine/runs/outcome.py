"""The outcome of a run: its metrics, its figures, and the verdict on its claims."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dlx.errors import RunError
from dlx.files import read_json, write_atomic
from dlx.plan import Plan
from dlx.recipe.schema.claims import Claim, describe_origin, holds


@dataclass(frozen=True)
class ClaimVerdict:
    """Whether a claim of the recipe held; `value` is None where the metric was not measured.

    claim                       the bound
    source, baseline, post_hoc  where the bound comes from, as in the recipe
    """

    metric: str
    claim: Any
    value: float | None
    held: bool
    source: str = ""
    baseline: Mapping[str, float] = field(default_factory=dict)
    post_hoc: bool = False

    @property
    def origin(self) -> str:
        """Where the bound comes from, in a few words."""
        return describe_origin(self.source, self.baseline, self.post_hoc)


@dataclass
class Run:
    """The outcome of a run: where it is stored, its metrics, and whether the recipe's claims held.

    `stages` tells of each, by the name of its directory, whether it is finished. The metrics and claims of such a run
    are those of the last stage, and behind their names those of the others; its checkpoint is the last one's.

    status            RUNNING, FINISHED, KILLED, FAILED, or SCHEDULED where it is paused, in MLflow's words
    ending            how training ended, and which epoch was the best
    metrics           all of the best epoch; of a run that is not finished, those so far
    fast_dev_run      whether it took a few steps of everything, as a trial
    seconds           from the first step to the last
    sampling_seconds  that 64 samples take, all at once, where the task samples from noise
    """

    name: str
    folder: Path
    checkpoint: Path
    mlflow_run: str | None
    metrics: dict[str, float] = field(default_factory=dict)
    verdict: list[ClaimVerdict] = field(default_factory=list)
    figures: list[Path] = field(default_factory=list)
    seconds: float = 0.0
    sampling_seconds: float | None = None
    notes: list[str] = field(default_factory=list)
    stages: dict[str, bool] = field(default_factory=dict)
    status: str = "RUNNING"
    ending: str = ""
    fast_dev_run: bool = False

    @property
    def claims_hold(self) -> bool:
        """Whether every claim of the recipe held."""
        return all(v.held for v in self.verdict)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {k: [asdict(v) for v in self.verdict] if k == "verdict" else _to_plain(v) for k, v in vars(self).items()}

    def write(self) -> None:
        """Write it into the run's directory, as `run.json`."""
        text = json.dumps({**self.to_json(), "time": time.time()}, indent=2)
        write_atomic(self.folder / "run.json", text.encode())


def read_run(folder: Path) -> Run | None:
    """Return the outcome of a run that is finished; None if it is not finished, or was not begun."""
    try:
        record = read_json(folder / "run.json")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RunError(f"{folder / 'run.json'} is damaged: {error}") from None
    if not isinstance(record, dict) or record.get("status") != "FINISHED":
        return None
    known = {name: record[name] for name in ("name", "mlflow_run", "metrics", "seconds", "notes", "status", "ending")}
    verdict = [ClaimVerdict(**v) for v in record["verdict"]]
    figures = [folder / "figures" / Path(path).name for path in record["figures"]]
    checkpoint = folder / "checkpoints" / Path(record["checkpoint"]).name
    return Run(folder=folder, checkpoint=checkpoint, verdict=verdict, figures=figures, **known)


def check_claims(plan: Plan, metrics: Mapping[str, float]) -> list[ClaimVerdict]:
    """Return the verdict on every claim of the recipe, by the plan's quantities and the run's metrics."""
    return evaluate_claims(plan.recipe.expect, {**plan.quantities, **metrics})


def evaluate_claims(claims: Mapping[str, Claim], known: Mapping[str, float]) -> list[ClaimVerdict]:
    """Return the verdict on every claim by what is known of its metric."""
    return [
        verdict_on(m, claim, known.get(m), m in known and holds(claim.bound, known[m])) for m, claim in claims.items()
    ]


def verdict_on(metric: str, claim: Claim, value: float | None, held: bool) -> ClaimVerdict:
    """Return the verdict on a claim, with where its bound comes from."""
    return ClaimVerdict(metric, claim.bound, value, held, claim.source, claim.baseline, claim.post_hoc)


def group_baselines(metrics: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Return for each metric what baselines reach, by their names: those of `test/mase.naive` under `test/mase`."""
    found: dict[str, dict[str, float]] = {}
    for name, value in metrics.items():
        metric, _, baseline = name.rpartition(".")
        if metric in metrics:
            found.setdefault(metric, {})[baseline] = value
    return found


def _to_plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_to_plain(v) for v in value]
    return str(value) if isinstance(value, Path) else value
