"""SIGTERM and Ctrl-C: the step in hand is finished, a checkpoint is saved, and the run says that it was stopped."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint

from dlx.engine.distributed.collectives import all_reduce_max, is_shared
from dlx.engine.training.checkpointer import Keep

EXIT = {signal.SIGINT: 130, signal.SIGTERM: 143}


class Stopped(SystemExit):
    """A person or the system ended the run; `code` is the exit status of the process."""


class Stoppable(Checkpoint):
    """As a context, takes the signals; as a callback, ends the run between two bursts, when `keep` has saved.

    A second Ctrl-C does not wait for that. It is a Checkpoint so that Lightning calls it after everything else.
    """

    def __init__(self) -> None:
        self.keep: Keep | None = None
        self.asked: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Stoppable:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.getsignal(number) for number in EXIT}
            self._take()
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
        if exception[0] is None and self.asked is not None:
            raise Stopped(EXIT[self.asked])

    def _take(self) -> None:
        for number in self._before:
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        again = self.asked is not None and number == signal.SIGINT
        self.asked = self.asked or signal.Signals(number)
        if again:
            raise Stopped(EXIT[signal.SIGINT])

    def _stop(self, trainer: pl.Trainer, saving: bool) -> None:
        if self.asked is None:
            return
        if saving and self.keep is not None:
            self.keep.save(trainer)
        raise Stopped(EXIT[self.asked])

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._take()  # Lightning has put handlers of its own in their place

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *args: Any) -> None:
        asked = all_reduce_max(int(self.asked or 0))  # of any process
        self.asked = signal.Signals(asked) if asked else None
        self._stop(trainer, saving=True)

    def on_validation_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *args: Any) -> None:
        if not is_shared():  # several have different numbers of batches here, and agree after the next ones in training
            self._stop(trainer, saving=trainer.state.fn == "fit")

    def on_test_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._take()

    def on_test_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *args: Any) -> None:
        self._stop(trainer, saving=False)
