"""A sweep as it goes on: a live table in a terminal, a line for every trial elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from dlx.console import say, styled_text
from dlx.studies.folder import StudyFolder
from dlx.studies.journal import Trial
from dlx.studies.report import describe_point
from dlx.studies.scheduling import Scheduler

SHOWN = 5
"""Trials in the table: the best ones."""


class Display:
    """Shows how many trials there are, which are the best so far, and when they will be finished."""

    def __init__(self, study: StudyFolder, scheduler: Scheduler, monitor: str, console: Any) -> None:
        self.study, self.scheduler, self.monitor, self.console = study, scheduler, monitor, console
        self._trials: dict[int, Trial] = study.journal.read()
        self._before = sum(t.value is not None for t in self._trials.values())
        self._began = time.monotonic()
        self._live: Any = None

    def __enter__(self) -> Display:
        say(self.console, (self.study.name, "bold"), f"  {self.scheduler.limit} trials, best {self.monitor}")
        if self.console.is_terminal and not self.console.quiet:
            from rich.live import Live

            self._live = Live(get_renderable=self._table, console=self.console, refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self, trials: Mapping[int, Trial]) -> None:
        """Take note of what the journal says now."""
        before = {number: _state(trial) for number, trial in self._trials.items()}
        news = [trial for number, trial in trials.items() if before.get(number) != _state(trial)]
        self._trials = dict(trials)
        if self._live is None:
            for trial in (t for t in news if t.status != "running"):
                self._print(trial)

    def _print(self, trial: Trial) -> None:
        what = trial.reason if trial.status == "failed" else f"{self.monitor} {trial.value:.4g}"
        best = self.scheduler.best(self._trials)
        star = "  (best so far)" if best and best[0].number == trial.number else ""
        line = f"trial {trial.number}  {trial.status}  {what}{star}  {describe_point(trial.params)}"
        say(self.console, line)

    def _table(self) -> Any:
        from rich.table import Table

        statuses = [t.status for t in self._trials.values()]
        counts = {s: statuses.count(s) for s in ("finished", "paused", "running", "failed") if s in statuses}
        title = f"{len(statuses)} of {self.scheduler.limit} trials: "
        title += ", ".join(f"{count} {status}" for status, count in counts.items()) + self._remaining()
        table = Table(title=styled_text(title), title_justify="left")
        for heading in ("trial", self.monitor, "rungs", "values"):
            table.add_column(styled_text(heading), overflow="fold")
        for trial in self.scheduler.best(self._trials)[:SHOWN]:
            value = f"{trial.value:.4g}"
            table.add_row(str(trial.number), value, str(trial.rungs), styled_text(describe_point(trial.params)))
        return table

    def _remaining(self) -> str:
        """Say how long the rest takes, if trials go on as fast as they did."""
        done = sum(t.status in ("finished", "paused", "failed") for t in self._trials.values())
        if done <= self._before:
            return ""
        seconds = (time.monotonic() - self._began) / (done - self._before) * max(0, self.scheduler.limit - done)
        return f"; about {seconds:.0f} s left" if seconds < 120 else f"; about {seconds / 60:.0f} min left"


def _state(trial: Trial) -> tuple[str, int]:
    return trial.status, trial.rungs
