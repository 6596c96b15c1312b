"""The client side of tracking: sends the entries of a run to MLflow, one after the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from dlx.permissions import without_password
from dlx.recipe.load import with_environment
from dlx.tracking.spool import Entry, TrackingState
from dlx.tracking.store import mlflow_client, tracker_uri

TOKEN_TAG = "dlx.token"
PARENT_TAG = "mlflow.parentRunId"
KIND_TAG, MODEL_TRAINING = "mlflow.experimentKind", "custom_model_development"
"""Tag of an experiment, and its value with which MLflow 3 shows its runs under "Model training"."""
MAX_PER_CALL = {"params": 100, "tags": 100, "metrics": 1000}
"""Limits of one `log_batch` of MLflow."""
OnRefused = Callable[[Entry, Exception], None]
_PERMANENT_ERRORS = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "BAD_REQUEST", "INVALID_STATE")


ENTRY_KINDS = ("resume", "params", "metrics", "tags", "file", "inputs", "model", "end")


class ForeignEntryError(Exception):
    """An entry of a run's record that dlx has not written, and that is never sent."""


def is_permanent(error: Exception) -> bool:
    """Return whether a retry cannot help: MLflow refuses the entry, or the file is gone."""
    return (
        isinstance(error, ForeignEntryError | FileNotFoundError | KeyError | TypeError)
        or getattr(error, "error_code", None) in _PERMANENT_ERRORS
    )


ADVICE = {
    "out-of-date database schema": "upgrade it: mlflow db upgrade {uri}",
    "no such table": "upgrade it: mlflow db upgrade {uri}, or move the file away",
    "no such column": "upgrade it: mlflow db upgrade {uri}, or move the file away",
    "file is not a database": "move the file away, or name another one: --tracking-uri",
    "malformed": "the file is damaged: move it away, or name another one: --tracking-uri",
    "readonly database": "name a database that can be written: --tracking-uri",
    "unable to open database": "name a path that can be written: --tracking-uri",
    "database is locked": "another program holds it; later: dlx runs --sync",
    "no module named": "install the driver of this database, or name another tracker: --tracking-uri",
}
"""What to do about what a tracker says, by words in it."""


def error_summary(error: Exception, uri: str = "") -> str:
    """Return the first line of an error's message, and what to do about it where that is known."""
    first = next(iter(str(error).splitlines()), "") or type(error).__name__
    advice = next((advice for words, advice in ADVICE.items() if words in str(error).lower()), None)
    return f"{first}; {advice.format(uri=without_password(uri) or 'URI')}" if advice else first


def group_entries(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Group neighboring parameters, tags and metrics that MLflow takes in one call; any other entry stays alone."""
    group: list[Entry] = []
    for entry in entries:
        if group and not _fit_in_one_call([*group, entry]):
            yield group
            group = []
        group.append(entry)
    if group:
        yield group


def _fit_in_one_call(entries: Sequence[Entry]) -> bool:
    sizes = dict.fromkeys(MAX_PER_CALL, 0)
    for entry in entries:
        kind = entry.get("kind")
        values = entry.get("points" if kind == "metrics" else "values")
        if kind not in sizes or not isinstance(values, list if kind == "metrics" else dict):
            return False
        sizes[kind] += len(values)
    return sum(sizes.values()) <= MAX_PER_CALL["metrics"] and all(n <= MAX_PER_CALL[kind] for kind, n in sizes.items())


class TrackerClient:
    """Sends entries to the MLflow tracking server or database, updates the tracking state, and raises what fails.

    Sending is idempotent: an entry may be sent twice, as nobody knows whether one that failed had arrived.
    """

    def __init__(self, state: TrackingState) -> None:
        self.state = state
        self._client: Any = None
        self.is_retry = False
        """Whether entries may have been sent before without an answer."""

    def connect(self) -> None:
        """Connect to the tracker: import MLflow, open the store, and create the run if there is none yet."""
        if self._client is None:
            self._client = mlflow_client(tracker_uri(self.state.uri))
        if self.state.run_id is None:
            self._create_run(self.state.creation)

    def send(self, entry: Entry) -> None:
        """Send one entry."""
        self.connect()
        if entry.get("kind") not in ENTRY_KINDS:
            raise ForeignEntryError(f"a record of a run holds no {entry.get('kind')!r}")
        getattr(self, f"_{entry['kind']}")(entry)

    def send_group(self, group: Sequence[Entry], on_refused: OnRefused) -> None:
        """Send entries that `group_entries` put together; those that MLflow refuses are passed on, one by one.

        Raises: whatever the tracker does else.
        """
        self.connect()
        try:
            self._log_batch(group) if len(group) > 1 else self.send(group[0])
        except Exception as error:
            if not is_permanent(error):
                raise
            if len(group) == 1:
                on_refused(group[0], error)
            for entry in group if len(group) > 1 else ():
                self.send_group([entry], on_refused)

    def _create_run(self, creation: Entry) -> None:
        """Create the run; one whose creation was not confirmed is found by its token."""
        experiment = creation.pop("experiment_id", None) or self._experiment_id(creation["experiment"])
        parent = self._parent(experiment, creation)
        found = self._find_by_token(self.state.token, experiment) if self.is_retry else None
        self.is_retry = True
        if found is None:
            tags = {**with_environment(creation["tags"]), **parent, TOKEN_TAG: self.state.token}
            found = self._client.create_run(experiment, creation["time"], tags, creation["name"])
        self.state.run_id, self.state.experiment = found.info.run_id, experiment

    def _parent(self, experiment: str, creation: Entry) -> dict[str, str]:
        """Return the tag that nests a run under its parent. Raises: LookupError until the parent has been created."""
        token, known = creation.get("parent"), creation.get("parent_id")
        if token is None or known is not None:
            return {PARENT_TAG: known} if known is not None else {}
        found = self._find_by_token(token, experiment, include_deleted=True)
        if found is None:
            raise LookupError("the run of which it is a stage has not been tracked yet")
        return {PARENT_TAG: found.info.run_id}

    def _find_by_token(self, token: str, experiment: str, include_deleted: bool = False) -> Any:
        """Return the run that was created with a token; None if there is none."""
        from mlflow.entities import ViewType

        which = ViewType.ALL if include_deleted else ViewType.ACTIVE_ONLY
        return next(iter(self._client.search_runs([experiment], f"tags.`{TOKEN_TAG}` = '{token}'", which)), None)

    def _experiment_id(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self._client.create_experiment(name, tags={KIND_TAG: MODEL_TRAINING}))
            except MlflowException:  # another run has created it meanwhile
                found = self._client.get_experiment_by_name(name)
                if found is None:
                    raise
        if found.lifecycle_stage == "deleted":
            self._client.restore_experiment(found.experiment_id)
        if KIND_TAG not in found.tags:
            self._client.set_experiment_tag(found.experiment_id, KIND_TAG, MODEL_TRAINING)
        return str(found.experiment_id)

    def _resume(self, entry: Entry) -> None:
        """Set an interrupted run to RUNNING and note the last step of each metric; create it anew if it was deleted."""
        try:
            self._client.update_run(self.state.run_id, status="RUNNING")
        except Exception as error:
            if not is_permanent(error):
                raise
            self.state.run_id = None
            self.connect()
        found = self._client.get_run(self.state.run_id)
        self.state.experiment = found.info.experiment_id
        self.state.last_steps = {m.key: int(m.step) for m in found.data.to_proto().metrics}

    def _log_batch(self, group: Sequence[Entry]) -> None:
        """Log parameters, tags and metrics in one call: for a database it is one transaction instead of several."""
        merged: dict[str, list[Any]] = {kind: [] for kind in MAX_PER_CALL}
        for entry in group:
            merged[entry["kind"]] += self._entities(entry)
        if any(merged.values()):
            self._client.log_batch(self.state.run_id, **merged)

    def _entities(self, entry: Entry) -> list[Any]:
        """Return what MLflow calls the values of an entry; of a resumed run, without those that it has."""
        from mlflow.entities import Metric, Param, RunTag

        last_steps = self.state.last_steps
        if entry["kind"] == "metrics":
            return [Metric(name, *rest) for name, *rest in entry["points"] if rest[-1] > last_steps.get(name, -1)]
        if entry["kind"] == "tags":
            return [RunTag(k, v) for k, v in with_environment(entry["values"]).items()]
        known = self._client.get_run(self.state.run_id).data.params if last_steps else {}
        return [Param(k, v) for k, v in entry["values"].items() if k not in known]

    def _log_in_parts(self, entry: Entry) -> None:
        kind, entities = entry["kind"], self._entities(entry)
        for i in range(0, len(entities), MAX_PER_CALL[kind]):
            self._client.log_batch(self.state.run_id, **{kind: entities[i : i + MAX_PER_CALL[kind]]})

    _params = _metrics = _tags = _log_in_parts

    def _file(self, entry: Entry) -> None:
        self._client.log_artifact(self.state.run_id, entry["path"], entry["folder"])

    def _inputs(self, entry: Entry) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source = json.dumps({"tags": {"dlx.source": json.dumps(entry["source"])}})
        inputs = []
        for split, rows in entry["counts"].items():
            profile = json.dumps({"num_rows": rows, "fingerprint": entry["fingerprint"]})
            dataset = Dataset(f"{entry['name']}:{split}", entry["fingerprint"][:36], "code", source, None, profile)
            inputs.append(DatasetInput(dataset, [InputTag("mlflow.data.context", split)]))
        self._client.log_inputs(self.state.run_id, inputs)

    def _model(self, entry: Entry) -> None:
        from dlx.tracking.model import log_model

        log_model(self._client, self.state, Path(entry["path"]), entry["signature"])

    def _end(self, entry: Entry) -> None:
        self._client.set_terminated(self.state.run_id, entry["status"], entry["time"])
