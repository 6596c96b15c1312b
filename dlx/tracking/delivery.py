"""Entries of a run, one after the other, into MLflow's store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dlx.recipe.load import with_environment
from dlx.tracking.spool import Entry, State
from dlx.tracking.store import client

TOKEN = "dlx.token"
PARENT = "mlflow.parentRunId"
PARAMS = 100  # and tags, that MLflow takes in one call
_LOST = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "BAD_REQUEST", "INVALID_STATE")


def is_lost(error: Exception) -> bool:
    """Say whether trying again cannot help: MLflow refuses the entry, or the file is gone."""
    return isinstance(error, FileNotFoundError) or getattr(error, "error_code", None) in _LOST


def reason(error: Exception) -> str:
    """Return the first line of what went wrong."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


class Delivery:
    """Carries entries to the tracker; what the state says is brought up to date, and raised is whatever fails.

    Every entry may be sent twice without harm, for nobody knows whether one that failed had arrived.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self._client: Any = None
        self.again = False
        """Whether entries may have been sent before, without an answer."""

    def connect(self) -> None:
        """Reach the tracker: imports MLflow, opens the store, and makes the run if there is none yet."""
        if self._client is None:
            self._client = client(with_environment(self.state.uri))
        if self.state.run_id is None:
            self._open(self.state.opening)

    def send(self, entry: Entry) -> None:
        """Send one entry."""
        self.connect()
        getattr(self, f"_{entry['kind']}")(entry)

    def _open(self, opening: Entry) -> None:
        """Make the run; one whose making was not confirmed is found by its token."""
        experiment = self._experiment(opening["experiment"])
        parent = self._parent(experiment, opening.get("parent"))
        found = self._made_with(self.state.token, experiment) if self.again else None
        self.again = True
        if found is None:
            tags = {**with_environment(opening["tags"]), **parent, TOKEN: self.state.token}
            found = self._client.create_run(experiment, opening["time"], tags, opening["name"])
        self.state.run_id, self.state.experiment = found.info.run_id, experiment

    def _parent(self, experiment: str, token: str | None) -> dict[str, str]:
        """Return the tag by which MLflow puts a run below another one. Raises: LookupError while that is not there."""
        if token is None:
            return {}
        found = self._made_with(token, experiment, deleted_too=True)
        if found is None:
            raise LookupError("the run of which it is a stage has not been tracked yet")
        return {PARENT: found.info.run_id}

    def _made_with(self, token: str, experiment: str, deleted_too: bool = False) -> Any:
        """Return the run that was made with a token; None if there is none."""
        from mlflow.entities import ViewType

        which = ViewType.ALL if deleted_too else ViewType.ACTIVE_ONLY
        return next(iter(self._client.search_runs([experiment], f"tags.`{TOKEN}` = '{token}'", which)), None)

    def _experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self._client.create_experiment(name))
            except MlflowException:  # another run has made it meanwhile
                found = self._client.get_experiment_by_name(name)
                if found is None:
                    raise
        if found.lifecycle_stage == "deleted":
            self._client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def _resume(self, entry: Entry) -> None:
        """Set an earlier run going again, and note how far its metrics had come; one that was deleted is made anew."""
        try:
            self._client.update_run(self.state.run_id, status="RUNNING")
        except Exception as error:
            if not is_lost(error):
                raise
            self.state.run_id = None
            self.connect()
        found = self._client.get_run(self.state.run_id)
        self.state.experiment = found.info.experiment_id
        self.state.last = {m.key: int(m.step) for m in found.data.to_proto().metrics}

    def _params(self, entry: Entry) -> None:
        from mlflow.entities import Param

        known = self._client.get_run(self.state.run_id).data.params if self.state.last else {}
        params = [Param(k, v) for k, v in entry["values"].items() if k not in known]
        for i in range(0, len(params), PARAMS):
            self._client.log_batch(self.state.run_id, params=params[i : i + PARAMS])

    def _metrics(self, entry: Entry) -> None:
        from mlflow.entities import Metric

        last = self.state.last
        points = [Metric(name, *rest) for name, *rest in entry["points"] if rest[-1] > last.get(name, -1)]
        if points:
            self._client.log_batch(self.state.run_id, metrics=points)

    def _tags(self, entry: Entry) -> None:
        from mlflow.entities import RunTag

        tags = [RunTag(k, v) for k, v in with_environment(entry["values"]).items()]
        for i in range(0, len(tags), PARAMS):
            self._client.log_batch(self.state.run_id, tags=tags[i : i + PARAMS])

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
