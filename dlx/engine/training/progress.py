"""Progress of a run: a live progress bar on a terminal, one line an epoch elsewhere. All of it goes to stderr."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytorch_lightning as pl

from dlx.console import printable, say

SPARKS = "▁▂▃▄▅▆▇█"
REFRESH_PER_SECOND = 4.0
PATIENCE_SECONDS = 2.0  # that a person waits without asking


def sparkline(values: list[float], width: int = 24) -> str:
    """Return numbers drawn as one line of text, thinned to the width."""
    shown = values[:: max(1, len(values) // width)][-width:]
    low, high = min(shown, default=0.0), max(shown, default=0.0)
    span = (high - low) or 1.0
    return "".join(SPARKS[int((v - low) / span * (len(SPARKS) - 1))] for v in shown)


class StepProgress:
    """A progress bar for the steps of what takes longer than a person waits without asking, such as sampling."""

    def __init__(self, console: Any) -> None:
        self.console = console

    def __call__(self, steps: Sequence[Any], what: str) -> Iterator[Any]:
        """Iterate over the steps; `what` says what they are for."""
        began, bar = time.monotonic(), None
        try:
            for done, step in enumerate(steps):
                taken = time.monotonic() - began
                if bar is None and done and taken > PATIENCE_SECONDS:
                    bar = self._bar(what, len(steps), taken / done)
                if bar is not None:
                    bar.update(bar.task_ids[0], completed=done)
                yield step
        finally:
            if bar is not None:
                bar.stop()

    def _bar(self, what: str, steps: int, each: float) -> Any:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        if not self.console.is_terminal:
            say(self.console, f"{what}: {steps:,} steps take about {steps * each:.0f} s")
        columns = BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeElapsedColumn(), TimeRemainingColumn()
        bar = Progress(
            TextColumn("{task.description}", markup=False),
            *columns,
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        bar.add_task(printable(what), total=steps)
        bar.start()
        return bar


def attach_progress(module: Any, console: Any) -> None:
    """Let a module show the progress of what it does in many steps, such as sampling."""
    module.watched = StepProgress(console)


class ProgressDisplay(pl.Callback):
    """Shows the progress of training: the loss curve, metrics, throughput and the time left."""

    def __init__(self, console: Any, steps: int, batch_size: int) -> None:
        self.console, self.steps, self.batch_size = console, steps, batch_size
        self.live = console.is_terminal
        self.losses: list[float] = []
        self.first: dict[str, float] = {}
        self.changed: set[str] = set()
        self.began = self.shown = 0.0
        self.bar: Any = None
        self.job: Any = None

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.began = time.monotonic()
        if not self.live:
            return
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = (
            "epoch {task.fields[epoch]}",
            BarColumn(),
            "{task.completed}/{task.total}",
            TimeElapsedColumn(),
            "left",
            TimeRemainingColumn(),
        )
        texts = [TextColumn(c, markup=False) if isinstance(c, str) else c for c in columns]
        self.bar = Progress(
            *texts,
            TextColumn("{task.fields[rate]} {task.fields[curve]}", markup=False),
            console=self.console,
            auto_refresh=False,
        )
        self.job = self.bar.add_task("", total=self.steps, completed=trainer.global_step, epoch=1, rate="", curve="")
        self.bar.start()
        track: Any = self.track
        module.watched = track

    def track(self, steps: Sequence[Any], what: str) -> Iterator[Any]:
        """Iterate over the steps of something for which training waits; show in the bar how far they are."""
        for done, step in enumerate(steps):
            now = time.monotonic()
            if self.bar is not None and now - self.shown >= 1 / REFRESH_PER_SECOND:
                self.shown = now
                self.bar.update(self.job, rate=printable(f"{what} {done}/{len(steps)}"))
                self.bar.refresh()
            yield step

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *args: Any) -> None:
        now = time.monotonic()
        if self.bar is None or now - self.shown < 1 / REFRESH_PER_SECOND:
            return
        self.shown = now
        rate = f"{trainer.global_step * self.batch_size / (now - self.began):,.0f} samples/s"
        self.bar.update(
            self.job,
            completed=trainer.global_step,
            epoch=trainer.current_epoch + 1,
            rate=rate,
            curve=sparkline(self.losses),
        )
        self.bar.refresh()

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        known = {k: float(v) for k, v in trainer.callback_metrics.items()}
        if "train/loss" in known:
            self.losses.append(known["train/loss"])
        shown = self._without_constants({name: value for name, value in sorted(known.items()) if "/" in name})
        metrics = "  ".join(f"{name} {value:.4g}" for name, value in shown.items())
        epochs = trainer.max_epochs if trainer.max_epochs and trainer.max_epochs > 0 else "?"
        curve = f"  train/loss {sparkline(self.losses)}" if len(self.losses) > 1 else ""
        say(self.console, f"epoch {trainer.current_epoch + 1}/{epochs}  {metrics}{curve}")

    def _without_constants(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """Leave out parts of metrics that are what they were in the first epoch, as a naive forecast's error is."""
        self.changed |= {name for name, value in metrics.items() if value != self.first.get(name, value)}
        begun, self.first = dict(self.first), {**metrics, **self.first}
        return {n: v for n, v in metrics.items() if "." not in n or n not in begun or n in self.changed}

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.close()

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        self.close()

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None
