"""Figures while training goes on: drawn now and then of a few samples, by a thread of their own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from dlx.engine.build.experiment import Experiment
from dlx.engine.rng import random_state, restore_random_state
from dlx.engine.training.figures import prepare_figures
from dlx.files import save_figure

TIME_SHARE = 0.02  # of training that figures may take, unless a recipe says how often they are drawn
FIRST_GUESS_SECONDS = 1.0  # that figures take, before some were drawn
DPI = 100


class FigureCallback(pl.Callback):
    """Draws the task's figures of a few samples of val, or of train where there is no val, while training goes on.

    Rank 0 alone draws. Generators are restored afterward, and nothing that is measured is kept, so that training goes
    on as if nothing had been drawn. Averages of the weights are drawn in their place, as they are validated.

    folder    where figures go, in a folder for each kind, named by the step
    every     epochs between figures, 0 for none; None after 1, 2, 4, … epochs, as far as they take little of the time
    log_file  gives a figure to the tracker: where it is, and in which folder it belongs
    notes     sentences for the person about what could not be drawn
    """

    def __init__(
        self, experiment: Experiment, folder: Path, every: int | None, log_file: Callable[[Path, str], None] | None
    ) -> None:
        self.experiment, self.folder, self.every, self.log_file = experiment, folder, every, log_file
        self.notes: list[str] = []
        self.spent, self.latest, self.epoch, self.began = 0.0, FIRST_GUESS_SECONDS, 0, 0.0
        self._thread: ThreadPoolExecutor | None = None
        self._drawing: Future[None] | None = None
        self._batch: dict[str, torch.Tensor] | None = None

    # -- when ---------------------------------------------------------------------------------------------------------

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.began = time.monotonic()

    def on_validation_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.state.fn == "fit":
            self.draw_if_due(trainer, module)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if "val" not in self.experiment.batches:
            self.draw_if_due(trainer, module)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.close()

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        self.close()

    def is_due(self, epoch: int) -> bool:
        """Return whether figures should be drawn after so many epochs."""
        if self.every is not None:
            return self.every > 0 and epoch >= self.epoch + self.every
        if epoch < 2 * self.epoch or (self._drawing is not None and not self._drawing.done()):
            return False
        return self.spent + self.latest <= TIME_SHARE * (time.monotonic() - self.began)

    # -- how ----------------------------------------------------------------------------------------------------------

    def draw_if_due(self, trainer: pl.Trainer, module: Any) -> None:
        """Evaluate a few samples if it is time, and have the thread draw them."""
        epoch, step = trainer.current_epoch + 1, trainer.global_step
        if not trainer.is_global_zero or not self.is_due(epoch):
            return
        began = time.monotonic()
        try:
            draw = self._evaluate(trainer, module)
            self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="dlx-figures")
            self._drawing = self._thread.submit(self._write, draw, step)
        except Exception as error:  # of any task: whatever cannot be drawn, training goes on
            self._note(step, error)
        self.epoch, self.latest = epoch, time.monotonic() - began
        self.spent += self.latest

    def _evaluate(self, trainer: pl.Trainer, module: Any) -> Callable[[], dict[str, Any]]:
        batch = {name: value.clone() for name, value in self._samples(module).items()}
        with preserve_state(module), trainer.precision_plugin.forward_context():
            outputs = module.figure_inputs(trainer.precision_plugin.convert_input(batch))
        return prepare_figures(self.experiment, module, outputs)

    def _samples(self, module: Any) -> dict[str, torch.Tensor]:
        """Return the samples of which figures are drawn, always the same."""
        if self._batch is None:
            batches = self.experiment.batches
            first = next(iter(batches.get("val") or batches["train"]))
            self._batch = {name: value[: module.figure_samples] for name, value in first.items()}
        return self._batch

    def _write(self, draw: Callable[[], dict[str, Any]], step: int) -> None:
        began = time.thread_time()
        try:
            for name, figure in draw().items():
                path = self.folder / name / f"step-{step:09d}.png"
                save_figure(figure, path, dpi=DPI)
                if self.log_file is not None:
                    self.log_file(path, f"figures/{name}")
        except Exception as error:  # of any library: whatever cannot be drawn, training goes on
            self._note(step, error)
        seconds = time.thread_time() - began
        self.latest += seconds
        self.spent += seconds

    def _note(self, step: int, error: Exception) -> None:
        if not self.notes:
            self.notes.append(f"figures of step {step} are missing: {type(error).__name__}: {error}")

    def close(self) -> None:
        """Wait until the last figures are drawn."""
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None


@contextmanager
def preserve_state(module: torch.nn.Module) -> Iterator[None]:
    """Evaluate a module without a trace: RNG state and training mode are afterward as they were."""
    random, training = random_state(), {part: part.training for part in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, before in training.items():
            part.training = before
        restore_random_state(random)
