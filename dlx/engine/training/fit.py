"""Fault-tolerant training: from a checkpoint, after divergence, and in smaller micro-batches where memory is short."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.model_helpers import is_overridden

from dlx.console import say
from dlx.engine.build.experiment import Experiment, build_batches, build_module
from dlx.engine.checkpoint import load_checkpoint, metadata_of
from dlx.engine.data.workers import explain_failure
from dlx.engine.distributed.collectives import broadcast, is_distributed, rank
from dlx.engine.training.callbacks import History, ScaleLearningRate
from dlx.engine.training.checkpointer import POSITION, Checkpointer, list_checkpoints
from dlx.engine.training.chunks import MAX_STEPS_PER_CALL, ChunkLoader, Position
from dlx.engine.training.figure_callback import FigureCallback
from dlx.engine.training.freeze import FreezeCallback
from dlx.engine.training.layer_hashes import LayerHashRecorder
from dlx.engine.training.pause import PauseAfterEpoch
from dlx.engine.training.progress import ProgressDisplay
from dlx.engine.training.signals import SignalHandler
from dlx.engine.training.trainer import build_trainer
from dlx.errors import CheckpointError, DivergedError, RunError
from dlx.notices import dlx_command
from dlx.plan import Plan
from dlx.plan.plan import checkpoint_monitor
from dlx.recipe.schema.train import Train, comparing_layers

ROLLBACKS = 3
DIVERGENCE_ADVICE = "Lower optimizer.lr, or add regularize.grad_clip"


@dataclass(frozen=True)
class ResumePoint:
    """A checkpoint from which training resumes: where it stood, and the metadata of its experiment."""

    path: Path
    position: Position
    metadata: dict[str, Any]


@dataclass(frozen=True)
class FitResult:
    """A training that is over.

    experiment    with smaller micro-batches than planned, if memory was short
    checkpointer  which knows the best epoch
    """

    experiment: Experiment
    trainer: pl.Trainer
    history: History
    checkpointer: Checkpointer

    @property
    def ending(self) -> str:
        """How training ended, and which epoch was the best."""
        length, at, best = self.experiment.plan.length, self.checkpointer.position, self.checkpointer.best_epoch
        stopped_early = at.step < length.steps
        monitor = self.checkpointer.monitor
        epochs = f"{at.epoch} epochs" if best is None else f"best epoch {best} of {at.epoch} by {monitor}"
        planned = f" ({math.ceil(length.steps / length.steps_per_epoch)} planned)" if stopped_early else ""
        return f"{'stopped early' if stopped_early else 'trained to the end'}: {epochs}{planned}"


@dataclass
class FaultTolerantFit:
    """Trains an experiment into a directory, in as many attempts as it takes.

    folder             where checkpoints go
    logger             Lightning's, or None
    metadata           what every checkpoint carries
    attach             what is done to every module that is built anew
    fast               a few steps of everything, as a trial
    pause_after_epoch  where training pauses; None trains to the end
    callbacks          further callbacks of Lightning
    notes              sentences for the person about what happened on the way
    """

    folder: Path
    console: Any
    logger: Any
    metadata: dict[str, Any]
    signals: SignalHandler
    attach: Callable[[pl.LightningModule, Plan], None]
    fast: bool = False
    pause_after_epoch: int | None = None
    callbacks: Sequence[pl.Callback] = ()
    notes: list[str] = field(default_factory=list)
    history: History = field(default_factory=History)

    def __call__(self, experiment: Experiment) -> FitResult:
        """Train to the end, from the newest checkpoint if there is one.

        Raises: RunError if the loss diverges again and again, or a single sample does not fit in memory;
        TrainingPaused.
        """
        start, rollbacks, lr_factor = self._newest(), 0, 1.0
        while True:
            try:
                return self._attempt(experiment, start, lr_factor)
            except DivergedError as error:
                rollbacks += 1
                if rollbacks > ROLLBACKS:
                    raise RunError(
                        f"{error}{_describe_non_finite_weights(experiment.module)}. {DIVERGENCE_ADVICE}"
                    ) from None
                before, start = start, self._newest()
                # a newer checkpoint has its lr halved already
                lr_factor = 0.5 * (lr_factor if start == before else 1.0)
                back = start.path.name if start is not None else "its beginning"
                self._report(f"{error}; training goes back to {back}, with {0.5**rollbacks:g} of the lr")
                experiment = replace(experiment, module=self._build_module(experiment.plan))
            except (MemoryError, RuntimeError) as error:
                if not _is_out_of_memory(error):
                    raise (explain_failure(error) if isinstance(error, RuntimeError) else error) from None
                experiment, start = self._halve_micro_batches(experiment), self._newest()

    def _newest(self) -> ResumePoint | None:
        """Return where to begin; all processes begin at the same checkpoint."""
        return broadcast(lambda: newest_checkpoint(self.folder, self._report))

    def _attempt(self, experiment: Experiment, start: ResumePoint | None, lr_factor: float) -> FitResult:
        plan, recipe = experiment.plan, experiment.plan.recipe
        self.history = history = History()
        monitor, mode = checkpoint_monitor(plan)
        every = recipe.train.checkpoint_every_n_seconds
        checkpointer = Checkpointer(self.folder, monitor, mode, every, self.metadata, self._report)
        learning: list[pl.Callback] = []
        if recipe.freeze or recipe.adapt is not None:
            learning.append(FreezeCallback(recipe.freeze, plan.length.steps, recipe.adapt))
        learning += [c for r in recipe.regularize.values() if (c := r.callback()) is not None]
        pause = (
            [] if self.pause_after_epoch is None else [PauseAfterEpoch(self.pause_after_epoch, checkpointer, history)]
        )
        figures, recorder = self._figure_callback(experiment), self._recorder(plan)
        self.signals.checkpointer = checkpointer
        trainer = build_trainer(
            plan,
            logger=self.logger or False,
            callbacks=[
                *learning, history, ScaleLearningRate(lr_factor), checkpointer, *pause, self.signals, figures,
                ProgressDisplay(self.console, plan.length.steps, recipe.train.batch_size), *recorder, *self.callbacks,
            ],
            fast=self.fast,
            root=self.folder.parent,
        )  # fmt: skip
        steps = min(2, plan.length.steps) if self.fast else plan.length.steps
        position, path = (start.position, start.path) if start is not None else (None, None)
        steps_per_call = 1 if _have_batch_hooks([*learning, *self.callbacks]) else MAX_STEPS_PER_CALL
        loader = ChunkLoader(experiment.batches["train"], steps, position, steps_per_call)
        trainer.fit(experiment.module, loader, experiment.batches.get("val"), ckpt_path=path)
        self.notes += [note for callback in recorder for note in callback.notes]
        self._note_end(experiment, checkpointer, figures)
        if is_distributed() and recipe.hardware.strategy.shards_parameters:  # type: ignore[union-attr]
            experiment = replace(experiment, module=self._build_module(plan))  # full, not sharded, from now on
        return FitResult(experiment, trainer, history, checkpointer)

    def metrics_so_far(self) -> dict[str, float]:
        """Return the metrics of the last epoch that is over."""
        return {name: points[-1][1] for name, points in self.history.points.items()}

    def _note_end(self, experiment: Experiment, checkpointer: Checkpointer, figures: FigureCallback) -> None:
        self.notes += figures.notes
        skipped: Any = experiment.module.num_skipped_batches
        if skipped:
            self.notes.append(f"{skipped} batches were left out, because their loss was not finite")
        if checkpointer.monitor is not None and checkpointer.best is None and not self.fast:
            self.notes.append(f"{checkpointer.monitor} was never finite; the weights are those of the last epoch")

    def _figure_callback(self, experiment: Experiment) -> FigureCallback:
        """Return what draws figures on the way; none in a trial, or where networks are sharded."""
        train, strategy = experiment.plan.recipe.train, experiment.plan.recipe.hardware.strategy
        is_sharded = is_distributed() and strategy.shards_parameters  # type: ignore[union-attr]
        log_file = self.logger.log_file if self.logger else None
        every = train.figures_every_n_epochs if train.figures and not self.fast and not is_sharded else 0
        return FigureCallback(experiment, self.folder.parent / "figures", every, log_file)

    def _recorder(self, plan: Plan) -> list[LayerHashRecorder]:
        """Return what records layer hashes: in rank 0, unless it is a trial, or a callback records them already."""
        if self.fast or rank() or any(isinstance(c, LayerHashRecorder) for c in self.callbacks):
            return []
        return [LayerHashRecorder(self.folder.parent, layers=not plan.recipe.hardware.compile)]

    def _halve_micro_batches(self, experiment: Experiment) -> Experiment:
        """Return the experiment with micro-batches of half the size, after memory ran out; the steps are the same."""
        recipe = experiment.plan.recipe
        number = 2 * recipe.train.gradient_accumulation
        if is_distributed():  # the others are inside of the gradient's sum, in which nothing can be agreed upon
            raise RunError(f"out of memory on one device. {self._accumulation_advice(recipe.train)}")
        compared = [recipe.task.type] if recipe.task.compares_samples else []
        compared += comparing_layers((n.tree, n.input) for n in experiment.plan.networks.values())
        if compared:
            raise RunError(
                f"out of memory. {' and '.join(compared)} would learn something else from smaller micro-batches, so "
                f"that they are not made unasked. {self._accumulation_advice(recipe.train)}"
            )
        if number > recipe.train.batch_size:
            raise RunError("a single sample does not fit in memory; make the network or its input smaller")
        self._report(
            f"out of memory: a batch of {recipe.train.batch_size} is now computed in {number} micro-batches; "
            "the effective batch size is unchanged"
        )
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        plan = with_micro_batches(experiment.plan, number)
        batches = build_batches(plan, experiment.prepared)
        return Experiment(plan, self._build_module(plan), batches, experiment.prepared)

    def _accumulation_advice(self, train: Train) -> str:
        """Say how a person goes on with a batch in at least twice as many micro-batches, which must be equal."""
        divisors = range(2 * train.gradient_accumulation, train.batch_size + 1)
        number = next((n for n in divisors if train.batch_size % n == 0), None)
        if number is None:
            return "Make the network or its input smaller"
        if list_checkpoints(self.folder):
            run = self.folder.parent.name
            change = f"train.gradient_accumulation={number}"
            return f"Go on with: {dlx_command('train', '--resume', run, change, '--allow-change')}"
        return f"Start again with train.gradient_accumulation={number}"

    def _build_module(self, plan: Plan) -> pl.LightningModule:
        module = build_module(plan)
        self.attach(module, plan)
        return module

    def _report(self, note: str) -> None:
        self.notes.append(note)
        say(self.console, note)


def newest_checkpoint(folder: Path, report: Callable[[str], None]) -> ResumePoint | None:
    """Return the newest checkpoint that can be trusted; damaged ones are reported and passed over."""
    for path in list_checkpoints(folder):
        try:
            content = load_checkpoint(path)
            return ResumePoint(path, Position(**content[POSITION]), metadata_of(content))
        except CheckpointError as error:
            report(f"{error}; the one before it is used")
    return None


def with_micro_batches(plan: Plan, number: int) -> Plan:
    """Return the plan with every batch computed in so many micro-batches (gradient accumulation)."""
    return plan.evolve("recipe.train.gradient_accumulation", number)


def _have_batch_hooks(callbacks: Sequence[pl.Callback]) -> bool:
    """Return whether a callback has to be called for every batch, which the task's module does not do for it."""
    hooks = ("on_train_batch_start", "on_train_batch_end")
    others = [c for c in callbacks if not getattr(c, "every_step", False)]
    return any(is_overridden(hook, c, parent=pl.Callback) for c in others for hook in hooks)


def _is_out_of_memory(error: BaseException) -> bool:
    texts = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(t in str(error).lower() for t in texts)


def _describe_non_finite_weights(module: pl.LightningModule) -> str:
    """Say which weights were lost first, in the order of the forward pass."""
    first = next((n for n, p in module.named_parameters() if not bool(p.detach().isfinite().all())), None)
    return f"; the first weights that are not finite are {first}" if first else ""
