"""Training that goes on: from a checkpoint, after the loss was lost, and in smaller portions where memory is short."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.model_helpers import is_overridden

from dlx.engine.build.experiment import Experiment, batches_of, build_module, monitored
from dlx.engine.checkpoint import carried, load
from dlx.engine.data.workers import explained
from dlx.engine.distributed.collectives import broadcast, is_shared
from dlx.engine.training.callbacks import History, Slower
from dlx.engine.training.checkpointer import POSITION, Keep, saved
from dlx.engine.training.chunks import MOST, Bursts, Position
from dlx.engine.training.figure_callback import Looking
from dlx.engine.training.freeze import Freeze
from dlx.engine.training.pause import Pause
from dlx.engine.training.progress import Display
from dlx.engine.training.signals import Stoppable
from dlx.engine.training.trainer import trainer_for
from dlx.errors import CheckpointError, DivergedError, RunError
from dlx.plan import Plan
from dlx.recipe.schema.train import Train

ROLLBACKS = 3


@dataclass
class Fitted:
    """A training that is over: its experiment (with smaller portions, if memory was short), trainer and history."""

    experiment: Experiment
    trainer: pl.Trainer
    history: History


class Fit:
    """Trains an experiment into a directory, as often as it takes.

    logger    Lightning's, or None
    carried   what every checkpoint carries
    attach    what is done to every module that is built anew
    pause_at  the epoch after which training pauses; None trains to the end
    notes     sentences for the person about what happened on the way
    """

    def __init__(
        self,
        folder: Path,
        console: Any,
        logger: Any,
        carried: dict[str, Any],
        stoppable: Stoppable,
        fast: bool,
        attach: Callable[[pl.LightningModule, Plan], None],
        pause_at: int | None = None,
    ) -> None:
        self.folder, self.console, self.logger, self.carried = folder, console, logger, carried
        self.stoppable, self.fast, self.attach, self.pause_at = stoppable, fast, attach, pause_at
        self.notes: list[str] = []

    def __call__(self, experiment: Experiment) -> Fitted:
        """Train to the end, from the newest checkpoint if there is one.

        Raises: RunError if the loss diverges again and again, or a single sample does not fit in memory; Paused.
        """
        start, rollbacks, slower = self._newest(), 0, 1.0
        while True:
            try:
                return self._attempt(experiment, start, slower)
            except DivergedError as error:
                rollbacks += 1
                if rollbacks > ROLLBACKS:
                    raise RunError(f"{error}{_where(experiment.module)}. {CURES}") from None
                before, start = start, self._newest()
                slower = 0.5 * (slower if start == before else 1.0)  # a newer checkpoint has its lr halved already
                self._say(f"{error}; training goes back to {_name(start)}, with {0.5**rollbacks:g} of the lr")
                experiment = replace(experiment, module=self._module(experiment.plan))
            except (MemoryError, RuntimeError) as error:
                if not _is_out_of_memory(error):
                    raise (explained(error) if isinstance(error, RuntimeError) else error) from None
                experiment, start = self._halved(experiment), self._newest()

    def _newest(self) -> Start | None:
        """Return where to begin; all processes begin at the same checkpoint."""
        return broadcast(lambda: newest(self.folder, self._say))

    def _attempt(self, experiment: Experiment, start: Start | None, slower: float) -> Fitted:
        plan, history = experiment.plan, History()
        monitor, mode = monitored(plan)
        keep = Keep(self.folder, monitor, mode, plan.recipe.train.checkpoint_every_n_seconds, self.carried)
        regularizing: list[Any] = [Freeze(plan.recipe.freeze, plan.length.steps)] if plan.recipe.freeze else []
        regularizing += [c for r in plan.recipe.regularize.values() if (c := r.callback()) is not None]
        looking = self._looking(experiment)
        self.stoppable.keep = keep
        pause = [] if self.pause_at is None else [Pause(self.pause_at, keep, history)]
        trainer = trainer_for(
            plan,
            logger=self.logger or False,
            callbacks=[
                *regularizing, history, Slower(slower), keep, *pause, self.stoppable, looking,
                Display(self.console, plan.length.steps, plan.recipe.train.batch_size),
            ],
            fast=self.fast,
            root=self.folder.parent,
        )  # fmt: skip
        steps = min(2, plan.length.steps) if self.fast else plan.length.steps
        position, path = (start.position, start.path) if start is not None else (None, None)
        bursts = Bursts(experiment.batches["train"], steps, position, 1 if _look_in_between(regularizing) else MOST)
        trainer.fit(experiment.module, bursts, experiment.batches.get("val"), ckpt_path=path)
        self.notes += looking.notes
        skipped = experiment.module.skipped
        if skipped:
            self.notes.append(f"{skipped} batches were left out, because their loss was not finite")
        if is_shared() and plan.recipe.hardware.strategy.shards_parameters:  # type: ignore[union-attr]
            experiment = replace(experiment, module=self._module(plan))  # whole, as it is from now on
        return Fitted(experiment, trainer, history)

    def _looking(self, experiment: Experiment) -> Looking:
        """Return what draws pictures on the way; none in a trial, or where no process has a network whole."""
        train, strategy = experiment.plan.recipe.train, experiment.plan.recipe.hardware.strategy
        in_parts = is_shared() and strategy.shards_parameters  # type: ignore[union-attr]
        log = self.logger.log_file if self.logger else None
        every = train.figures_every_n_epochs if train.figures and not self.fast and not in_parts else 0
        return Looking(experiment, self.folder.parent / "pictures", every, log)

    def _halved(self, experiment: Experiment) -> Experiment:
        """Return the experiment with every batch computed in twice as many portions; the steps are the same."""
        recipe = experiment.plan.recipe
        portions = 2 * recipe.train.gradient_accumulation
        if is_shared():  # the others are inside of the gradient's sum, in which nothing can be agreed upon
            raise RunError(f"out of memory on one device. {self._in_portions(recipe.train)}")
        if portions > recipe.train.batch_size:
            raise RunError("a single sample does not fit in memory; make the network or its input smaller")
        self._say(
            f"out of memory: a batch of {recipe.train.batch_size} is now computed in {portions} portions; "
            "the effective batch size is unchanged"
        )
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        plan = with_portions(experiment.plan, portions)
        return Experiment(plan, self._module(plan), batches_of(plan, experiment.prepared), experiment.prepared)

    def _in_portions(self, train: Train) -> str:
        """Say how a person goes on with a batch in at least twice as many portions, which must be equal."""
        divisors = (
            n for n in range(2 * train.gradient_accumulation, train.batch_size + 1) if train.batch_size % n == 0
        )
        portions = next(divisors, None)
        if portions is None:
            return "Make the network or its input smaller"
        if saved(self.folder):
            run = self.folder.parent.name
            return f"Go on with: dlx train --resume {run} train.gradient_accumulation={portions} --allow-change"
        return f"Start again with train.gradient_accumulation={portions}"

    def _module(self, plan: Plan) -> pl.LightningModule:
        module = build_module(plan)
        self.attach(module, plan)
        return module

    def _say(self, note: str) -> None:
        self.notes.append(note)
        self.console.print(note, highlight=False, soft_wrap=True)


CURES = "Lower optimizer.lr, or add regularize.grad_clip"


@dataclass(frozen=True)
class Start:
    """A checkpoint to go on from: where training stood, and what it carries of its experiment."""

    path: Path
    position: Position
    carried: dict[str, Any]


def newest(folder: Path, say: Callable[[str], None]) -> Start | None:
    """Return the newest checkpoint that can be trusted; damaged ones are named and passed over."""
    for path in saved(folder):
        try:
            content = load(path)
            return Start(path, Position(**content[POSITION]), carried(content))
        except CheckpointError as error:
            say(f"{error}; the one before it is used")
    return None


def with_portions(plan: Plan, portions: int) -> Plan:
    """Return the plan with every batch computed in so many portions."""
    return plan.evolve("recipe.train.gradient_accumulation", portions)


def _look_in_between(callbacks: Sequence[pl.Callback]) -> bool:
    """Say whether a callback has to see every batch, which the task's module does not show it."""
    hooks = ("on_train_batch_start", "on_train_batch_end")
    blind = [c for c in callbacks if not getattr(c, "every_step", False)]
    return any(is_overridden(hook, c, parent=pl.Callback) for c in blind for hook in hooks)


def _is_out_of_memory(error: BaseException) -> bool:
    texts = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(t in str(error).lower() for t in texts)


def _where(module: pl.LightningModule) -> str:
    """Say which weights were lost first, in the order of the forward pass."""
    first = next((n for n, p in module.named_parameters() if not bool(p.detach().isfinite().all())), None)
    return f"; the first weights that are not finite are {first}" if first else ""


def _name(start: Start | None) -> str:
    return start.path.name if start is not None else "its beginning"
