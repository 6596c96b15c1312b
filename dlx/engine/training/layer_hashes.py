"""Layer hashes: a fingerprint of every module's output in some steps, and the loss of every step.

They are what `dlx reproduce` holds a second training against. Hashing takes no more than a hundredth of the time of
training: the first step is hashed, and further ones as that share allows, ever more rarely.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from dlx.engine.training.chunks import BatchChunk
from dlx.engine.training.pause import TrainingPaused
from dlx.files import open_append, write_atomic

HASHES, LOSSES = "layer_hashes.jsonl", "losses.f64"
"""Files of a run's directory: a JSON line for every step that was hashed; the loss of every step, as float64."""
SHARE = 0.01  # of the time of training that hashing may take
GROWTH = 1.1  # from one hashed step to the next at least, so that long trainings keep short files
FLUSH_SECONDS = 5.0
LayerHashes = dict[str, str]
"""The hash of every module's output by the module's name, in the order in which outputs came."""


class OutputHasher:
    """Hashes the outputs of the modules of networks, as long as it is attached; of several calls, all of them."""

    def __init__(self, networks: nn.ModuleDict) -> None:
        self.seconds = 0.0
        self._running: dict[str, Any] = {}
        self._last: tuple[Tensor | None, int, bytes] = (None, 0, b"")
        only = next(iter(networks)) if len(networks) == 1 else None
        self._handles = [
            module.register_forward_hook(self._hook(_layer_name(path, only)))
            for path, module in networks.named_modules()
            if path and path != only
        ]

    def take(self) -> LayerHashes:
        """Detach it, and return the hashes."""
        for handle in self._handles:
            handle.remove()
        self._last = (None, 0, b"")
        return {name: running.hexdigest() for name, running in self._running.items()}

    def _hook(self, name: str) -> Any:
        def hash_output(module: nn.Module, inputs: Any, output: Any) -> None:
            began = time.perf_counter()
            running = self._running.setdefault(name, hashlib.blake2b(digest_size=8))
            for tensor in _tensors(output):
                running.update(self._digest(tensor))
            self.seconds += time.perf_counter() - began

        return hash_output

    def _digest(self, tensor: Tensor) -> bytes:
        last, version, digest = self._last
        if tensor is last and tensor._version == version:  # a container returns what its last layer returned
            return digest
        self._last = tensor, tensor._version, hash_tensor(tensor)
        return self._last[2]


def hash_tensor(tensor: Tensor) -> bytes:
    """Return a hash of a tensor's type, shape and every bit."""
    values = tensor.detach().to("cpu").contiguous()
    digest = hashlib.blake2b(f"{values.dtype}{tuple(values.shape)}".encode(), digest_size=8)
    digest.update(memoryview(values.flatten().view(torch.uint8).numpy()))  # type: ignore[arg-type]
    return digest.digest()


def _layer_name(path: str, only: str | None) -> str:
    return path if only is None else path.removeprefix(f"{only}.")


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _tensors(part)


@dataclass(frozen=True)
class TrainingTrace:
    """What is known of a training: the hashes of some steps by their number, and the loss of every step."""

    hashes: dict[int, LayerHashes] = field(default_factory=dict)
    losses: np.ndarray = field(default_factory=lambda: np.empty(0))


def read_trace(folder: Path) -> TrainingTrace:
    """Return what a run has recorded; nothing where it has recorded nothing. A line that was cut off is left out."""
    try:
        raw = (folder / LOSSES).read_bytes()
        lines = (folder / HASHES).read_text(encoding="utf-8").splitlines()
    except OSError:
        return TrainingTrace()
    return TrainingTrace(dict(_steps(lines)), np.frombuffer(raw[: len(raw) // 8 * 8], "<f8"))


def _steps(lines: list[str]) -> Iterator[tuple[int, LayerHashes]]:
    for line in lines:
        try:
            entry = json.loads(line)
            yield int(entry["step"]), {str(name): str(value) for name, value in entry["layers"].items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            continue


class LayerHashRecorder(pl.Callback):
    """Records layer hashes and losses into a run's directory, or of a training that is held against a recorded one.

    steps       which steps are hashed; None lets the time that it takes decide
    stop_after  ends training after so many steps, by TrainingPaused; None trains to the end
    layers      whether modules can be hooked into: not where they are compiled into one
    """

    every_step = True
    """The task's module calls it in every step, not only at the ends of chunks."""

    def __init__(
        self, folder: Path, steps: Collection[int] | None = None, stop_after: int | None = None, layers: bool = True
    ) -> None:
        self.folder, self.steps, self.stop_after, self.layers = folder, steps, stop_after, layers
        self.notes: list[str] = []
        self.seconds = 0.0
        self._hasher: OutputHasher | None = None
        self._has_begun, self._began = False, 0.0
        self._step, self._next = 0, 0.0
        self._losses: list[Tensor | None] = []
        self._lines: list[str] = []
        self._flushed = time.perf_counter()

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._has_begun = False

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int) -> None:
        if isinstance(batch, BatchChunk):
            self._step = batch.at.step
            if not self._has_begun:
                self._begin()
        elif self._step >= self._next and self._is_due():
            self._hasher = OutputHasher(module.networks)  # type: ignore[arg-type]

    def _begin(self) -> None:
        """Forget what was recorded of steps that are trained again."""
        known = read_trace(self.folder)
        self._lines = [_line(number, layers) for number, layers in known.hashes.items() if number < self._step]
        self._losses = [torch.tensor(loss) for loss in known.losses[: self._step]]
        self._has_begun, self._began = True, time.perf_counter()
        self._next = self._step if self.layers else math.inf
        self._write(append=False)

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if isinstance(batch, BatchChunk):
            if time.perf_counter() - self._flushed > FLUSH_SECONDS:
                self._write()
            return
        self._losses.append(module.curve.newest)  # type: ignore[union-attr, arg-type]
        if self._hasher is not None:
            self._take(self._hasher)
        self._step += 1
        if self.stop_after is not None and self._step >= self.stop_after:
            self._write()
            raise TrainingPaused({})

    def on_save_checkpoint(self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: Any) -> None:
        self._write()

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._write()

    def _is_due(self) -> bool:
        if self.steps is not None:
            return self._step in self.steps
        return self._step == 0 or self.seconds < SHARE * (time.perf_counter() - self._began)

    def _take(self, hasher: OutputHasher) -> None:
        began = time.perf_counter()
        self._hasher = None
        self._lines.append(_line(self._step, hasher.take()))
        if self.steps is None:
            self._next = max(self._step + 1, round(self._step * GROWTH))
        self.seconds += hasher.seconds + time.perf_counter() - began

    def _write(self, append: bool = True) -> None:
        """Write what is new. A disk that is full costs the record, and not the run."""
        lines = "".join(self._lines).encode()
        losses = _to_numbers(self._losses).astype("<f8").tobytes()
        self._lines, self._losses, self._flushed = [], [], time.perf_counter()
        try:
            for name, content in ((HASHES, lines), (LOSSES, losses)):
                if append:
                    with open_append(self.folder / name) as file:
                        file.write(content)
                else:
                    write_atomic(self.folder / name, content)
        except OSError as error:
            if not self.notes:
                self.notes.append(f"what dlx reproduce compares is not recorded: {error.strerror}")


def _line(step: int, layers: LayerHashes) -> str:
    return json.dumps({"step": step, "layers": layers}, separators=(",", ":")) + "\n"


def _to_numbers(losses: list[Tensor | None]) -> np.ndarray:
    """Return scalars as float64, with one copy from their device; NaN where a step had no loss."""
    if not losses:
        return np.empty(0)
    known = [torch.tensor(math.nan) if loss is None else loss.detach().reshape(()) for loss in losses]
    device = known[-1].device
    return torch.stack([loss.to(device, torch.float64) for loss in known]).cpu().numpy()
