"""A thin Lightning logger on MLflow's client: metrics are buffered and sent in batches by a background thread."""

from __future__ import annotations

import math
import queue
import re
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger

from dlx.tracking.store import client

SEND_EVERY = 2.0  # seconds
BATCH = 1000  # metrics that MLflow takes in one call
PARAM_LENGTH = 6000  # characters that MLflow keeps of a parameter
_FORBIDDEN = re.compile(r"[^A-Za-z0-9_\-. /:]")


class MLflowTracker(Logger):
    """Writes one run. Nothing here can stop training: what cannot be sent is counted and said at the end."""

    def __init__(self, experiment: str, run_name: str, uri: str | None, tags: Mapping[str, str]) -> None:
        super().__init__()
        self._client = client(uri)
        found = self._client.get_experiment_by_name(experiment)
        experiment_id = found.experiment_id if found else self._client.create_experiment(experiment)
        made = self._client.create_run(experiment_id, run_name=run_name, tags=dict(tags))
        self.run_id: str = made.info.run_id
        self.experiment_id: str = experiment_id
        self._name = experiment
        self.failures: list[str] = []
        self._queue: queue.Queue[Any] = queue.Queue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send_forever, name="dlx-tracking", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """The experiment."""
        return self._name

    @property
    def version(self) -> str:
        """The MLflow run id."""
        return self.run_id

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Do nothing: parameters are those of the recipe, logged once by `log_params`."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Queue metrics; `epoch` is Lightning's own and left out, and what is not finite cannot be stored."""
        now = int(time.time() * 1000)
        for name, value in metrics.items():
            if name != "epoch" and math.isfinite(value):
                self._queue.put((_acceptable(name), float(value), now, step or 0))

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log flat parameters, shortened where MLflow's limit asks for it."""
        from mlflow.entities import Param

        entries = [Param(_acceptable(k), _shortened(str(v))) for k, v in params.items()]
        for i in range(0, len(entries), 100):
            self._try(lambda i=i: self._client.log_batch(self.run_id, params=entries[i : i + 100]))

    def log_file(self, path: Path, folder: str | None = None) -> None:
        """Log a file as an artifact."""
        self._try(lambda: self._client.log_artifact(self.run_id, str(path), folder))

    def set_tag(self, name: str, value: str) -> None:
        """Set a tag of the run."""
        self._try(lambda: self._client.set_tag(self.run_id, _acceptable(name), value))

    def close(self, status: str) -> None:
        """Send what is left and end the run as FINISHED, FAILED or KILLED."""
        self._stop.set()
        self._thread.join(timeout=30)
        self._send()
        self._try(lambda: self._client.set_terminated(self.run_id, status))

    def _send_forever(self) -> None:
        while not self._stop.wait(SEND_EVERY):
            self._send()

    def _send(self) -> None:
        from mlflow.entities import Metric

        while not self._queue.empty():
            batch: list[Any] = []
            while not self._queue.empty() and len(batch) < BATCH:
                batch.append(Metric(*self._queue.get_nowait()))
            self._try(lambda batch=batch: self._client.log_batch(self.run_id, metrics=batch))

    def _try(self, action: Any) -> None:
        try:
            action()
        except Exception as error:  # whatever a tracking server does, training goes on
            self.failures.append(str(error).splitlines()[0])


def _acceptable(name: str) -> str:
    return _FORBIDDEN.sub("_", name)[:250]


def _shortened(text: str) -> str:
    return text if len(text) <= PARAM_LENGTH else text[: PARAM_LENGTH - 1] + "…"
