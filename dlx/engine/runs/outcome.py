"""What came of a run, and the verdict on its claims."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dlx.files import write_atomic
from dlx.plan import Plan
from dlx.recipe.schema.claims import holds


@dataclass(frozen=True)
class Verdict:
    """A claim of the recipe and what the run says to it; value is None where the metric was not measured."""

    metric: str
    claim: Any
    value: float | None
    held: bool


@dataclass
class Run:
    """What came of training: where it is kept, its metrics, and whether the recipe's claims held.

    A run in stages says of each, by the name of its directory, whether it is finished. Its metrics and claims are those
    of the last stage, and behind their names those of the others; its checkpoint is the last one's.

    seconds           from the first step to the last
    sampling_seconds  that 64 samples take, all at once, where the task makes some
    """

    name: str
    folder: Path
    checkpoint: Path
    mlflow_run: str | None
    metrics: dict[str, float] = field(default_factory=dict)
    verdict: list[Verdict] = field(default_factory=list)
    pictures: list[Path] = field(default_factory=list)
    seconds: float = 0.0
    sampling_seconds: float | None = None
    notes: list[str] = field(default_factory=list)
    stages: dict[str, bool] = field(default_factory=dict)

    @property
    def held(self) -> bool:
        """Whether every claim of the recipe held."""
        return all(v.held for v in self.verdict)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {k: [asdict(v) for v in self.verdict] if k == "verdict" else _plain(v) for k, v in vars(self).items()}

    def write(self) -> None:
        """Keep it in the run's directory, as `run.json`."""
        text = json.dumps({**self.to_json(), "time": time.time()}, indent=2)
        write_atomic(self.folder / "run.json", text.encode())


def read_run(folder: Path) -> Run | None:
    """Return a run that is finished as it was written down; None if it is not finished, or was not begun."""
    try:
        said = json.loads((folder / "run.json").read_text())
    except FileNotFoundError:
        return None
    if not said.get("metrics"):
        return None
    known = {name: said[name] for name in ("name", "mlflow_run", "metrics", "seconds", "notes")}
    verdict = [Verdict(**v) for v in said["verdict"]]
    pictures = [folder / "pictures" / Path(path).name for path in said["pictures"]]
    checkpoint = folder / "checkpoints" / Path(said["checkpoint"]).name
    return Run(folder=folder, checkpoint=checkpoint, verdict=verdict, pictures=pictures, **known)


def judge(plan: Plan, metrics: Mapping[str, float]) -> list[Verdict]:
    """Hold every claim of the recipe against the plan's quantities and the run's metrics."""
    known = {**plan.quantities, **metrics}
    claims = plan.recipe.expect.items()
    return [Verdict(m, claim, known.get(m), m in known and holds(claim, known[m])) for m, claim in claims]


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, Path) else value
