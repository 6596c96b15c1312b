"""One tracked run, opened before the first step and closed whatever happens."""

from __future__ import annotations

import json
import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlx.files import write_atomic
from dlx.plan import Plan
from dlx.run_folders import run_name
from dlx.tracking.comparison import flat
from dlx.tracking.logger import MLflowTracker
from dlx.tracking.names import TAG_LENGTH, shortened
from dlx.tracking.signature import signature_of
from dlx.tracking.spool import State, read_state
from dlx.tracking.store import storable_uri, warm_up


@dataclass
class Record:
    """The run as MLflow has it; without a tracker every call does nothing."""

    logger: MLflowTracker | None
    notes: list[str]
    plan: Plan | None = None

    @property
    def run_id(self) -> str | None:
        """The MLflow run id, as soon as the tracker has answered: None at the start of a run."""
        return self.logger.run_id if self.logger else None

    def finish(
        self, metrics: Mapping[str, float], held: bool | None, pictures: list[Path], checkpoint: Path | None
    ) -> None:
        """Log what is known at the end alone: metrics of the test split and of the whole run, the verdict, files."""
        if self.logger is None:
            return
        new = {name: value for name, value in metrics.items() if name not in self.logger.logged}
        final = {name: value for name, value in new.items() if name.startswith("test/") or "/" not in name}
        self.logger.log_metrics(final, self.logger.step)
        if held is not None:
            self.logger.set_tags({"dlx.verdict": "held" if held else "failed"})
        for picture in pictures:
            self.logger.log_file(picture, "pictures")
        if checkpoint is None or not checkpoint.exists():
            return
        self.logger.log_file(checkpoint, "checkpoints")
        signature = signature_of(self.plan.facts, self.plan.recipe.task.target_kind) if self.plan else None
        if signature is not None:
            self.logger.put({"kind": "model", "path": str(checkpoint.absolute()), "signature": signature})

    def close(self, status: str) -> list[str]:
        """End the run and return what could not be tracked as it was, as sentences."""
        if self.logger is None:
            return self.notes
        notes = [*self.notes, *self.logger.close(status)]
        _write_id(self.logger.folder, self.logger.run_id)
        return notes


def open_record(
    plan: Plan, folder: Path, stored: Mapping[str, Any], resume: str | None = None, within: Path | None = None
) -> Record:
    """Start tracking a run, or go on with one that was interrupted: `resume` is its MLflow id, or "" if it has none.

    `within` is the run of which it is a stage; it is tracked already, and becomes the parent in MLflow.
    A tracker that is not there is no error: what it should know waits beside the run.
    """
    try:
        logger = MLflowTracker(folder, _state(plan, folder, stored, resume, within))
    except OSError as error:
        return Record(None, [f"the run is not tracked: {error.strerror}"])
    if resume is None:
        _describe(logger, plan, stored)
    else:
        logger.put_on_disk({"kind": "resume"})  # after what was unsent then, before all that comes
    logger.log_params(flat({k: v for k, v in stored.items() if k not in ("expect", "tracking")}))
    for name in ("recipe.yaml", "resolved.yaml", "lock.json"):
        if (folder / name).exists():
            logger.log_file(folder / name)
    warm_up(logger.state.uri)
    logger.start()
    return Record(logger, [], plan)


def _state(plan: Plan, folder: Path, stored: Mapping[str, Any], resume: str | None, within: Path | None) -> State:
    known = read_state(folder) if resume is not None else None
    uri = stored.get("tracking", {}).get("uri") or storable_uri()
    state = known or State(uri, secrets.token_hex(8), socket.gethostname(), run_id=resume or None)
    state.status, state.host = "RUNNING", socket.gethostname()
    state.opening = state.opening or _opening(plan, folder, stored, within)
    return state


def _opening(plan: Plan, folder: Path, stored: Mapping[str, Any], within: Path | None) -> dict[str, Any]:
    """Return what makes the run. What came from the environment stays a reference until it is sent."""
    tags = {"dlx.recipe": plan.recipe.name, "dlx.folder": str(folder), "dlx.data": plan.facts.fingerprint}
    if stored.get("description"):
        tags["mlflow.note.content"] = shortened(stored["description"], TAG_LENGTH)
    experiment = stored.get("tracking", {}).get("experiment") or plan.recipe.name
    whole = read_state(within) if within is not None else None
    parent = {"parent": whole.token} if whole is not None else {}
    return {"experiment": experiment, "name": run_name(folder), "tags": tags, "time": int(time.time() * 1000), **parent}


def _describe(logger: MLflowTracker, plan: Plan, stored: Mapping[str, Any]) -> None:
    """Put the recipe's tags, the plan's quantities, and what data the run reads."""
    facts, source = plan.facts, stored.get("data", {}).get("source", {})
    logger.set_tags(stored.get("tracking", {}).get("tags", {}))
    logger.log_metrics(plan.quantities)
    counts = {split: n for split, n in facts.counts.items() if n}
    logger.put({
        "kind": "inputs", "name": str(source.get("type", "data")), "source": source,
        "fingerprint": facts.fingerprint, "counts": counts,
    })  # fmt: skip


def _write_id(folder: Path, run_id: str | None) -> None:
    """Add MLflow's id, which was not known at the start, to what the run's directory says of it."""
    path = folder / "run.json"
    try:
        said = json.loads(path.read_text())
        if run_id is not None and said.get("mlflow_run") is None:
            write_atomic(path, json.dumps({**said, "mlflow_run": run_id}, indent=2).encode())
    except (OSError, ValueError):
        return
