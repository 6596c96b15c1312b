"""Signals: at SIGTERM or Ctrl-C the step in hand is finished, a checkpoint is saved, and the run is marked KILLED."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint

from dlx.engine.distributed.collectives import all_reduce_max, is_distributed
from dlx.engine.training.checkpointer import Checkpointer

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


class RunStopped(SystemExit):
    """A person or the system ended the run; `code` is the exit status of the process."""


class SignalHandler(Checkpoint):
    """As a context, handles the signals; as a callback, ends the run between two chunks, when a checkpoint is saved.

    A second Ctrl-C does not wait for that. It is a Checkpoint so that Lightning calls it after everything else.
    """

    def __init__(self) -> None:
        self.checkpointer: Checkpointer | None = None
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> SignalHandler:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.getsignal(number) for number in EXIT_CODES}
            self._install()
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
        if exception[0] is None and self.received is not None:
            raise RunStopped(EXIT_CODES[self.received])

    def _install(self) -> None:
        for number in self._before:
            signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        again = self.received is not None and number == signal.SIGINT
        self.received = self.received or signal.Signals(number)
        if again:
            raise RunStopped(EXIT_CODES[signal.SIGINT])

    def _stop(self, trainer: pl.Trainer, saving: bool) -> None:
        if self.received is None:
            return
        if saving and self.checkpointer is not None:
            self.checkpointer.save(trainer)
        raise RunStopped(EXIT_CODES[self.received])

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._install()  # Lightning has put handlers of its own in their place

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *args: Any) -> None:
        received = all_reduce_max(int(self.received or 0))  # of any process
        self.received = signal.Signals(received) if received else None
        self._stop(trainer, saving=True)

    def on_validation_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *args: Any) -> None:
        if not is_distributed():  # processes have different numbers of batches here; they agree in training
            self._stop(trainer, saving=trainer.state.fn == "fit")

    def on_test_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._install()

    def on_test_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *args: Any) -> None:
        self._stop(trainer, saving=False)
