"""Pictures while training goes on: a few samples are looked at now and then, and drawn by a thread of its own."""

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
from dlx.engine.training.figures import figures
from dlx.files import save_figure

SHARE = 0.02  # of the time may be spent on pictures, unless a recipe says how often they are drawn
GUESS = 1.0  # seconds that pictures take, before some were drawn
DPI = 100


class Looking(pl.Callback):
    """Draws what the task shows of a few samples of val, or of train where there is no val.

    Only rank 0 looks. What it draws from generators is put back, and nothing that it measures is kept, so that training
    goes on as if nobody had looked. Averages of the weights are looked at in their place, as they are validated.

    folder  where pictures go, in a folder for each kind, named by the step
    every   epochs between pictures, 0 for none; None after 1, 2, 4, … epochs, as far as they take little of the time
    tell    what the tracker is told of a picture by: where it is, and in which folder it belongs
    notes   sentences for the person about what could not be drawn
    """

    def __init__(
        self, experiment: Experiment, folder: Path, every: int | None, tell: Callable[[Path, str], None] | None
    ) -> None:
        self.experiment, self.folder, self.every, self.tell = experiment, folder, every, tell
        self.notes: list[str] = []
        self.spent, self.latest, self.epoch, self.began = 0.0, GUESS, 0, 0.0
        self._thread: ThreadPoolExecutor | None = None
        self._drawing: Future[None] | None = None
        self._batch: dict[str, torch.Tensor] | None = None

    # -- when ---------------------------------------------------------------------------------------------------------

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.began = time.monotonic()

    def on_validation_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.state.fn == "fit":
            self.look(trainer, module)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if "val" not in self.experiment.batches:
            self.look(trainer, module)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.close()

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        self.close()

    def is_due(self, epoch: int) -> bool:
        """Say whether there should be pictures after so many epochs."""
        if self.every is not None:
            return self.every > 0 and epoch >= self.epoch + self.every
        if epoch < 2 * self.epoch or (self._drawing is not None and not self._drawing.done()):
            return False
        return self.spent + self.latest <= SHARE * (time.monotonic() - self.began)

    # -- how ----------------------------------------------------------------------------------------------------------

    def look(self, trainer: pl.Trainer, module: Any) -> None:
        """Look at a few samples if it is time, and have them drawn."""
        epoch, step = trainer.current_epoch + 1, trainer.global_step
        if not trainer.is_global_zero or not self.is_due(epoch):
            return
        began = time.monotonic()
        batch = {name: value.clone() for name, value in self._samples(module).items()}
        with undisturbed(module), trainer.precision_plugin.forward_context():
            outputs = module.figure_inputs(trainer.precision_plugin.convert_input(batch))
        draw = figures(self.experiment, module, outputs)
        self.epoch, self.latest = epoch, time.monotonic() - began
        self.spent += self.latest
        self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="dlx-pictures")
        self._drawing = self._thread.submit(self._draw, draw, step)

    def _samples(self, module: Any) -> dict[str, torch.Tensor]:
        """Return the samples that are looked at, always the same."""
        if self._batch is None:
            batches = self.experiment.batches
            first = next(iter(batches.get("val") or batches["train"]))
            self._batch = {name: value[: module.figure_samples] for name, value in first.items()}
        return self._batch

    def _draw(self, draw: Callable[[], dict[str, Any]], step: int) -> None:
        began = time.thread_time()
        try:
            for name, figure in draw().items():
                path = self.folder / name / f"step-{step:09d}.png"
                save_figure(figure, path, dpi=DPI)
                if self.tell is not None:
                    self.tell(path, f"pictures/{name}")
        except Exception as error:  # whatever cannot be drawn, training goes on
            if not self.notes:
                self.notes.append(f"figures of step {step} are missing: {error}")
        taken = time.thread_time() - began
        self.latest += taken
        self.spent += taken

    def close(self) -> None:
        """Let the last pictures be drawn."""
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None


@contextmanager
def undisturbed(module: torch.nn.Module) -> Iterator[None]:
    """Look at a module without a trace: generators and what only training does are afterward as they were."""
    random, training = random_state(), {part: part.training for part in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, before in training.items():
            part.training = before
        restore_random_state(random)
