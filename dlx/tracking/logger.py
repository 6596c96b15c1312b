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

from dlx.os_errors import os_reason
from dlx.tracking.delivery import TrackerClient, error_summary, group_entries
from dlx.tracking.names import PARAM_LENGTH, TAG_LENGTH, valid_name, valid_tag_name, valid_value
from dlx.tracking.spool import Entry, Spool, TrackingState
from dlx.tracking.sync import send_spool, sync_runs

SEND_INTERVAL_SECONDS = 3.0
MAX_POINTS_PER_CALL = 1000  # MLflow's limit of metrics in one call
MAX_ENTRIES_PER_CALL = 20  # that are put together in one call
MAX_POINTS_IN_MEMORY = 20_000  # more go to the spool on disk
OTHER_RUNS_SECONDS = 10.0  # for what earlier runs have left
RETRY_SECONDS = (5.0, 60.0)  # until a tracker that failed is tried again, at first and at most
# Seconds that the end of a run waits for the tracker.
CLOSE_SECONDS = {"FINISHED": 30.0, "FAILED": 15.0, "KILLED": 10.0, "SCHEDULED": 10.0}


class MLflowTracker(Logger):
    """Lightning logger for one MLflow run. Nothing in it stops or slows training: unsent entries wait on disk.

    A child, such as a trial, may be over in less than a second: it is sent at once then, and looks after no other runs.
    """

    def __init__(self, folder: Path, state: TrackingState, is_child: bool = False) -> None:
        super().__init__()
        self.state, self.folder, self.is_child = state, folder, is_child
        self.logged: set[str] = set()
        self.step = 0
        self._notes: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._spool = Spool(folder)
        self._client = TrackerClient(state)
        self._points: list[list[Any]] = []
        self._pending: deque[Entry] = deque()
        self._mutex, self._points_mutex = threading.Lock(), threading.Lock()
        self._wake = threading.Event()
        self._sending = 0
        self._stopping = self._abandoned = False
        self._has_synced_others = is_child
        self._last_error: str | None = None
        self._thread = threading.Thread(target=self._run_thread, name="dlx-tracking", daemon=True)
        state.save(folder)

    def start(self) -> None:
        """Start the sending thread; entries put before that are sent first."""
        self._thread.start()

    @property
    def name(self) -> str:
        """The name of the experiment."""
        return str(self.state.creation["experiment"])

    @property
    def version(self) -> str:
        """The name of the run's folder, as MLflow's id is not known before the tracker has answered."""
        return self.folder.name

    @property
    def run_id(self) -> str | None:
        """MLflow's id, once the tracker has given one."""
        return self.state.run_id

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the hyperparameters are those of the recipe, logged once by `log_params`."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log metrics; Lightning's `epoch` is left out, and values that are not finite become tags."""
        now = int(time.time() * 1000)
        self.step = max(self.step, step or 0)
        kept = {name: float(value) for name, value in metrics.items() if name != "epoch"}
        points = [[self._valid_name(n), v, now, step or 0] for n, v in kept.items() if math.isfinite(v)]
        self.logged.update(kept)
        with self._points_mutex:
            self._points += points
        for name, value in kept.items():
            if not math.isfinite(value):
                self._tag_not_finite(name, value, step or 0)
        if len(self._points) >= MAX_POINTS_IN_MEMORY:
            self._collect_points()
            self._spill()

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log flat parameters, cut to MLflow's limit of length."""
        values = {self._valid_name(k): valid_value(str(v), PARAM_LENGTH) for k, v in params.items()}
        for name, value in params.items():
            if len(str(value)) > PARAM_LENGTH:
                self._add_note(f"long {name}", f"the parameter {name} is cut to {PARAM_LENGTH:,} characters in MLflow")
        self.put({"kind": "params", "values": values})

    def log_file(self, path: Path, folder: str | None = None) -> None:
        """Log a file as an artifact."""
        self.put({"kind": "file", "path": str(path.absolute()), "folder": folder})

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags of the run."""
        values = {valid_tag_name(k): valid_value(v, TAG_LENGTH) for k, v in tags.items()}
        self.put({"kind": "tags", "values": values})

    def put(self, entry: Entry) -> None:
        """Queue an entry."""
        with self._mutex:
            self._pending.append(entry)

    def put_on_disk(self, entry: Entry) -> None:
        """Queue an entry behind those that an earlier process has left."""
        self._spool.append([entry])

    def close(self, status: str) -> list[str]:
        """End the run as FINISHED, FAILED or KILLED, and return notes on what was changed or is still unsent.

        Waits some seconds for the tracker; what it has not received then is kept on disk.
        """
        self.state.status = status
        self._collect_points()
        self.put({"kind": "end", "status": status, "time": int(time.time() * 1000)})
        self._spill(durable=True)
        with suppress(OSError):  # a full disk is reported when unsent entries are counted
            self.state.save(self.folder)
        self._stopping = True
        self._wake.set()
        try:
            if self._thread.is_alive():
                self._thread.join(CLOSE_SECONDS[status])
        finally:
            self._stop_sending()
        return list(self._notes.values())

    def _stop_sending(self) -> None:
        """Stop sending, and keep on disk what was not sent."""
        with self._mutex:
            self._abandoned = True
            unsent = list(self._pending)
            waiting = len(unsent) + len(self._spool.after(self.state.sent_bytes))
            try:
                self._spool.append(unsent, durable=True)
                if not waiting:
                    self.state.sent_bytes = 0
                self.state.save(self.folder)
            except OSError as error:
                self._add_note("disk", f"{waiting} entries of the run's record are lost: {os_reason(error)}")
            self._spool.close(finished=not waiting)
        if waiting:
            why = f" ({self._last_error})" if self._last_error else ""
            note = f"the tracker has not taken all of the run yet{why}; to send the rest: dlx runs --sync"
            self._add_note("unsent", note)

    def _run_thread(self) -> None:
        wait = SEND_INTERVAL_SECONDS if self.is_child else 0.0
        while not self._abandoned:
            self._wake.wait(wait)
            stopping = self._stopping
            self._collect_points()
            try:
                self._send_all()
                wait = SEND_INTERVAL_SECONDS
            except Exception as error:  # whatever a tracker does, training goes on
                self._last_error = error_summary(error, self.state.uri)
                self._spill()
                wait = min(max(RETRY_SECONDS[0], 2 * wait), RETRY_SECONDS[1])
            if stopping:
                return

    def _send_all(self) -> None:
        """Send everything, the older spool first, and then, once, what earlier runs have left unsent."""
        known = self.state.run_id
        self._client.connect()
        if known is None:
            self.state.save(self.folder)
        while not self._abandoned and (self._pending or self._spool.size() > self.state.sent_bytes):
            if self._spool.size() > self.state.sent_bytes:
                send_spool(self._spool, self._client, self.folder, self._note_refusal)
            if self._pending:
                self._send_first()
        if not self._has_synced_others:
            self._has_synced_others = True
            for failure in sync_runs(self.folder.parent, OTHER_RUNS_SECONDS, self.state.uri):
                if failure.is_new:
                    self._add_note(failure.folder.name, str(failure))

    def _send_first(self) -> None:
        """Send the entries that come first, as many as go in one call."""
        with self._mutex:
            group = next(group_entries(list(self._pending)[:MAX_ENTRIES_PER_CALL]))
            self._sending = len(group)
        sent = False
        try:
            self._client.send_group(group, self._note_refusal)
            sent = True
        finally:
            with self._mutex:
                self._sending = 0
                for _ in group if sent and not self._abandoned else ():
                    self._pending.popleft()

    def _collect_points(self) -> None:
        """Turn the collected points into entries."""
        with self._points_mutex:
            taken, self._points = self._points, []
        for i in range(0, len(taken), MAX_POINTS_PER_CALL):
            self.put({"kind": "metrics", "points": taken[i : i + MAX_POINTS_PER_CALL]})

    def _spill(self, durable: bool = False) -> None:
        """Move pending entries to the spool, but for those that are being sent."""
        with self._mutex:
            if self._abandoned:
                return
            moved = list(self._pending)[self._sending :]
            try:
                self._spool.append(moved, durable)
            except OSError as error:
                self._add_note("disk", f"the run's record is not complete: {self._spool.path}: {os_reason(error)}")
            for _ in moved:
                self._pending.pop()  # from the end: those that are being sent stay

    def _note_refusal(self, entry: Entry, error: Exception) -> None:
        self._add_note(entry["kind"], f"MLflow refuses {entry['kind']} of the run: {error_summary(error)}")

    def _tag_not_finite(self, name: str, value: float, step: int) -> None:
        note = f"{name} was {value} in step {step}: MLflow's curves leave such values out"
        if self._add_note(f"finite {name}", note):
            self.put({"kind": "tags", "values": {valid_name(f"dlx.not_finite.{name}"): f"{value} in step {step}"}})

    def _valid_name(self, name: str) -> str:
        if name not in self._names:
            self._names[name] = taken = valid_name(name)
            if taken != name:
                self._add_note(f"name {name}", f"MLflow does not take the name {name!r}; there it is {taken!r}")
        return self._names[name]

    def _add_note(self, key: str, note: str) -> bool:
        """Add a note, once for every key; return whether it is new."""
        new = key not in self._notes
        self._notes.setdefault(key, note)
        return new
