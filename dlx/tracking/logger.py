"""A thin Lightning logger on MLflow's client: nothing is sent, opened or even imported on the training thread."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger

from dlx.tracking.delivery import Delivery, is_lost, reason
from dlx.tracking.names import PARAM_LENGTH, TAG_LENGTH, acceptable, acceptable_tag, shortened
from dlx.tracking.spool import Entry, Spool, State
from dlx.tracking.sync import drain, sync

SEND_EVERY = 3.0  # seconds
BATCH = 1000  # metrics that MLflow takes in one call
IN_MEMORY = 20_000  # points; what is more waits on disk
OTHERS = 10.0  # seconds for what earlier runs have left
RETRY = (5.0, 60.0)  # seconds until a tracker that failed is asked again, at first and at most
# Seconds that the end of a run waits for the tracker.
PATIENCE = {"FINISHED": 30.0, "FAILED": 15.0, "KILLED": 10.0, "SCHEDULED": 10.0}


class MLflowTracker(Logger):
    """Writes one run. Nothing here can stop or slow training: what the tracker does not take waits on disk."""

    def __init__(self, folder: Path, state: State) -> None:
        super().__init__()
        self.state, self.folder = state, folder
        self.logged: set[str] = set()
        self.step = 0
        self._notes: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._spool = Spool(folder)
        self._delivery = Delivery(state)
        self._points: list[list[Any]] = []
        self._pending: deque[Entry] = deque()
        self._mutex, self._points_mutex = threading.Lock(), threading.Lock()
        self._wake = threading.Event()
        self._stopping = self._abandoned = self._alone = False
        self._trouble: str | None = None
        self._thread = threading.Thread(target=self._work, name="dlx-tracking", daemon=True)
        state.save(folder)

    def start(self) -> None:
        """Begin to send; what is put before that is sent first."""
        self._thread.start()

    @property
    def name(self) -> str:
        """The experiment."""
        return str(self.state.opening["experiment"])

    @property
    def version(self) -> str:
        """The run's own directory: MLflow's id is not known before the tracker has answered."""
        return self.folder.name

    @property
    def run_id(self) -> str | None:
        """MLflow's id, once the tracker has given one."""
        return self.state.run_id

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Do nothing: parameters are those of the recipe, logged once by `log_params`."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Note metrics; `epoch` is Lightning's own and left out, and what is not finite becomes a tag."""
        now = int(time.time() * 1000)
        self.step = max(self.step, step or 0)
        kept = {name: float(value) for name, value in metrics.items() if name != "epoch"}
        points = [[self._named(n), v, now, step or 0] for n, v in kept.items() if math.isfinite(v)]
        self.logged.update(kept)
        with self._points_mutex:
            self._points += points
        for name, value in kept.items():
            if not math.isfinite(value):
                self._not_finite(name, value, step or 0)
        if len(self._points) >= IN_MEMORY:
            self._collect()
            self._to_disk(keep_first=True)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Note flat parameters, shortened where MLflow's limit asks for it."""
        values = {self._named(k): shortened(str(v), PARAM_LENGTH) for k, v in params.items()}
        for name, value in params.items():
            if len(str(value)) > PARAM_LENGTH:
                self._say(f"long {name}", f"the parameter {name} is cut to {PARAM_LENGTH:,} characters in MLflow")
        self.put({"kind": "params", "values": values})

    def log_file(self, path: Path, folder: str | None = None) -> None:
        """Log a file as an artifact."""
        self.put({"kind": "file", "path": str(path.absolute()), "folder": folder})

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags of the run."""
        values = {acceptable_tag(k): shortened(v, TAG_LENGTH) for k, v in tags.items()}
        self.put({"kind": "tags", "values": values})

    def put(self, entry: Entry) -> None:
        """Queue an entry."""
        with self._mutex:
            self._pending.append(entry)

    def put_on_disk(self, entry: Entry) -> None:
        """Queue an entry behind those that an earlier process has left."""
        self._spool.append([entry])

    def close(self, status: str) -> list[str]:
        """End the run as FINISHED, FAILED or KILLED, and return as sentences what was changed or is still unsent.

        Waits a while for a tracker that answers; whatever it has not taken then is kept on disk.
        """
        self.state.status = status
        self._collect()
        self.put({"kind": "end", "status": status, "time": int(time.time() * 1000)})
        self._to_disk(keep_first=True, durable=True)
        with suppress(OSError):  # a full disk is said when what is left is counted
            self.state.save(self.folder)
        self._stopping = True
        self._wake.set()
        try:
            if self._thread.is_alive():
                self._thread.join(PATIENCE[status])
        finally:
            self._settle()
        return list(self._notes.values())

    def _settle(self) -> None:
        """Keep on disk what was not sent, and give up the run."""
        with self._mutex:
            self._abandoned = True
            unsent = list(self._pending)
            waiting = len(unsent) + len(self._spool.after(self.state.sent))
            try:
                self._spool.append(unsent, durable=True)
                if not waiting:
                    self.state.sent = 0
                self.state.save(self.folder)
            except OSError as error:
                self._say("disk", f"{waiting} entries of the run's record are lost: {error.strerror}")
            self._spool.close(finished=not waiting)
        if waiting:
            why = f" ({self._trouble})" if self._trouble else ""
            self._say("unsent", f"the tracker has not taken all of the run yet{why}; to send the rest: dlx runs --sync")

    def _work(self) -> None:
        wait = 0.0
        while not self._abandoned:
            self._wake.wait(wait)
            stopping = self._stopping
            self._collect()
            try:
                self._deliver()
                wait = SEND_EVERY
            except Exception as error:  # whatever a tracker does, training goes on
                self._trouble = reason(error)
                self._to_disk()
                wait = min(max(RETRY[0], 2 * wait), RETRY[1])
            if stopping:
                return

    def _deliver(self) -> None:
        """Send everything, the spool first: it is older. At last, once, what runs of before have left."""
        known = self.state.run_id
        self._delivery.connect()
        if known is None:
            self.state.save(self.folder)
        while not self._abandoned and (self._pending or self._spool.size() > self.state.sent):
            if self._spool.size() > self.state.sent:
                drain(self._spool, self._delivery, self.folder, self._lost)
            if self._pending:
                self._send_first()
        if not self._alone:
            self._alone = True
            for trouble in sync(self.folder.parent, OTHERS, self.state.uri):
                self._say(trouble.folder.name, str(trouble))

    def _send_first(self) -> None:
        entry = self._pending[0]
        try:
            self._delivery.send(entry)
        except Exception as error:
            if not is_lost(error):
                raise
            self._lost(entry, error)
        with self._mutex:
            if not self._abandoned:
                self._pending.popleft()

    def _collect(self) -> None:
        """Turn the points so far into entries."""
        with self._points_mutex:
            taken, self._points = self._points, []
        for i in range(0, len(taken), BATCH):
            self.put({"kind": "metrics", "points": taken[i : i + BATCH]})

    def _to_disk(self, keep_first: bool = False, durable: bool = False) -> None:
        """Move what is pending to the spool; the first entry may be on its way."""
        with self._mutex:
            if self._abandoned:
                return
            moved = list(self._pending)[1 if keep_first else 0 :]
            try:
                self._spool.append(moved, durable)
            except OSError as error:
                self._say("disk", f"the run's record is not complete: {self._spool.path}: {error.strerror}")
            for _ in moved:
                self._pending.pop()  # from the end: the first one stays first

    def _lost(self, entry: Entry, error: Exception) -> None:
        self._say(entry["kind"], f"MLflow refuses {entry['kind']} of the run: {reason(error)}")

    def _not_finite(self, name: str, value: float, step: int) -> None:
        if self._say(f"finite {name}", f"{name} was {value} in step {step}: MLflow's curves leave such values out"):
            self.put({"kind": "tags", "values": {acceptable(f"dlx.not_finite.{name}"): f"{value} in step {step}"}})

    def _named(self, name: str) -> str:
        if name not in self._names:
            self._names[name] = taken = acceptable(name)
            if taken != name:
                self._say(f"name {name}", f"MLflow does not take the name {name!r}; there it is {taken!r}")
        return self._names[name]

    def _say(self, key: str, note: str) -> bool:
        """Keep a note, once for every key; return whether it is new."""
        new = key not in self._notes
        self._notes.setdefault(key, note)
        return new
