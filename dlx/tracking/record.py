"""The tracking record of one run, opened before the first step and closed however training ends."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlx.console import printable
from dlx.os_errors import os_reason
from dlx.plan import Plan
from dlx.run_folders import run_name
from dlx.tracking.comparison import flatten
from dlx.tracking.logger import MLflowTracker
from dlx.tracking.names import TAG_LENGTH, valid_note, valid_value
from dlx.tracking.signature import model_signature
from dlx.tracking.spool import TrackingState, read_state
from dlx.tracking.store import import_mlflow, storable_uri


@dataclass
class RunRecord:
    """The record of a run in MLflow; without a tracker every call does nothing."""

    logger: MLflowTracker | None
    notes: list[str]
    plan: Plan | None = None

    @property
    def run_id(self) -> str | None:
        """The MLflow run id, as soon as the tracker has answered: None at the start of a run."""
        return self.logger.run_id if self.logger else None

    def finish(
        self, metrics: Mapping[str, float], held: bool | None, figures: list[Path], checkpoint: Path | None
    ) -> None:
        """Log the results: metrics of the test split and of the run, the verdict, figures, checkpoint and model."""
        if self.logger is None:
            return
        new = {name: value for name, value in metrics.items() if name not in self.logger.logged}
        final = {n: value for n, value in new.items() if n.startswith(("test/", "export/")) or "/" not in n}
        self.logger.log_metrics(final, self.logger.step)
        if held is not None:
            self.logger.set_tags({"dlx.verdict": "held" if held else "failed"})
        for figure in figures:
            self.logger.log_file(figure, "figures")
        wanted = self.plan is None or self.plan.recipe.tracking.log_model
        if checkpoint is None or not wanted or not checkpoint.exists():
            return
        self.logger.log_file(checkpoint, "checkpoints")
        signature = model_signature(self.plan.facts, self.plan.recipe.task.target_kind) if self.plan else None
        if signature is not None:
            self.logger.put({"kind": "model", "path": str(checkpoint.absolute()), "signature": signature})

    def log_files(self, files: list[Path], folder: str) -> None:
        """Log files as artifacts."""
        for path in files if self.logger is not None else ():
            self.logger.log_file(path, folder)  # type: ignore[union-attr]

    def close(self, status: str) -> list[str]:
        """End the run and return notes on what could not be tracked as it was."""
        if self.logger is None:
            return self.notes
        return [*self.notes, *self.logger.close(status)]


def open_record(
    plan: Plan, folder: Path, stored: Mapping[str, Any], resume: str | None = None, within: Path | None = None
) -> RunRecord:
    """Start tracking a run, or continue an interrupted one, whose MLflow id is `resume`, or "" if it has none.

    `within` is the folder of the run of which it is a stage; that one is tracked already, and becomes the parent in
    MLflow. A tracker that does not answer is no error: its entries wait beside the run.
    """
    try:
        state, note = _tracking_state(plan, folder, stored, resume, within)
        logger = MLflowTracker(folder, state, within is not None)
    except OSError as error:
        return RunRecord(None, [f"the run is not tracked: {os_reason(error)}"])
    if resume is None:
        _log_description(logger, plan, stored)
    else:
        logger.put_on_disk({"kind": "resume"})  # after what was unsent then, before all that comes
    for name in ("recipe.yaml", "resolved.yaml", "lock.json"):
        if (folder / name).exists():
            logger.log_file(folder / name)
    if resume is None:
        logger.set_tags(stored.get("tracking", {}).get("tags", {}))
    logger.log_params(flatten({k: v for k, v in stored.items() if k not in ("expect", "tracking")}))
    import_mlflow(logger.state.uri)
    logger.start()
    return RunRecord(logger, [note] if note else [], plan)


def _tracking_state(
    plan: Plan, folder: Path, stored: Mapping[str, Any], resume: str | None, within: Path | None
) -> tuple[TrackingState, str | None]:
    """Return where the run is tracked, and a note where that is not what its recipe wants."""
    known = read_state(folder) if resume is not None else None
    uri, note = storable_uri(stored.get("tracking", {}).get("uri"))
    state = known or TrackingState(uri, secrets.token_hex(8), socket.gethostname(), run_id=resume or None)
    state.status, state.host = "RUNNING", socket.gethostname()
    state.creation = state.creation or _creation_entry(plan, folder, stored, within, uri)
    return state, note


def _creation_entry(
    plan: Plan, folder: Path, stored: Mapping[str, Any], within: Path | None, uri: str
) -> dict[str, Any]:
    """Return what MLflow needs to create the run; values from the environment stay references until they are sent."""
    tags = {"dlx.recipe": plan.recipe.name, "dlx.folder": str(folder), "dlx.data": plan.facts.fingerprint}
    if stored.get("description"):
        tags["mlflow.note.content"] = valid_note(stored["description"])
    experiment = stored.get("tracking", {}).get("experiment") or plan.recipe.name
    whole = read_state(within) if within is not None else None
    parent = _parent_entry(whole, uri, printable(experiment)) if whole is not None else {}
    tags = {name: valid_value(value, TAG_LENGTH) for name, value in tags.items()}
    return {
        "experiment": printable(experiment),
        "name": printable(run_name(folder)),
        "tags": tags,
        "time": int(time.time() * 1000),
        **parent,
    }


def _parent_entry(parent: TrackingState, uri: str, experiment: str) -> dict[str, Any]:
    """Return by what a run's parent is found, and its ids where they are known, so that none has to be looked up."""
    entry: dict[str, Any] = {"parent": parent.token}
    if parent.run_id is not None and parent.uri == uri and parent.creation.get("experiment") == experiment:
        entry |= {"parent_id": parent.run_id, "experiment_id": parent.experiment}
    return entry


def _log_description(logger: MLflowTracker, plan: Plan, stored: Mapping[str, Any]) -> None:
    """Log the plan's quantities and the data set."""
    facts, source = plan.facts, stored.get("data", {}).get("source", {})
    logger.log_params({name: f"{value:g}" if value % 1 else int(value) for name, value in plan.quantities.items()})
    counts = {split: n for split, n in facts.counts.items() if n}
    logger.put({
        "kind": "inputs", "name": str(source.get("type", "data")), "source": source,
        "fingerprint": facts.fingerprint, "counts": counts,
    })  # fmt: skip
