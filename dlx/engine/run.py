"""The run itself: a directory, a tracked run, training, the test, and the verdict."""

from __future__ import annotations

import json
import os
import secrets
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import yaml
from pytorch_lightning.callbacks import ModelCheckpoint

from dlx.data.files import write_whole
from dlx.engine.build import Experiment, build, monitored
from dlx.engine.callbacks import Carry, FiniteLoss, History
from dlx.engine.checkpoint import WholeCheckpointIO, load, sweep
from dlx.engine.lock import lock
from dlx.engine.pictures import draw_all
from dlx.engine.progress import Display
from dlx.engine.signals import Stoppable, Stopped
from dlx.errors import UsageError
from dlx.plan import Plan
from dlx.plugins import active
from dlx.recipe.claims import holds
from dlx.recipe.load import Loaded
from dlx.tracking.record import Record, open_record

ADVICE = (
    "does not have many workers",
    "number of training batches",
    "Checkpoint directory",
    "LeafSpec",
    "`IterableDataset`",
    "but have no logger configured",
    "but have no `val_dataloader`",
)


@dataclass(frozen=True)
class Verdict:
    """A claim of the recipe and what the run says to it; value is None where the metric was not measured."""

    metric: str
    claim: Any
    value: float | None
    held: bool


@dataclass
class Run:
    """What came of training: where it is kept, its metrics, and whether the recipe's claims held."""

    name: str
    folder: Path
    checkpoint: Path
    mlflow_run: str | None
    metrics: dict[str, float] = field(default_factory=dict)
    verdict: list[Verdict] = field(default_factory=list)
    pictures: list[Path] = field(default_factory=list)
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)

    @property
    def held(self) -> bool:
        """Whether every claim of the recipe held."""
        return all(v.held for v in self.verdict)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {k: [asdict(v) for v in self.verdict] if k == "verdict" else _plain(v) for k, v in vars(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, Path) else value


def train(plan: Plan, loaded: Loaded, console: Any, *, root: Path = Path("runs"), fast: bool = False) -> Run:
    """Train a plan and judge what came of it. `fast` runs a few steps of everything and keeps nothing but the proof.

    Raises: UsageError before the first step if nothing can be written; RunError if training fails.
    """
    folder = _new_folder(root, plan.recipe.name)
    sweep(folder / "checkpoints")
    stored = loaded.storable(plan.written)
    _describe(folder, plan, loaded, stored)
    experiment = build(plan)
    record = open_record(plan, folder, stored)
    run = Run(plan.recipe.name, folder, folder / "checkpoints" / "last.ckpt", record.run_id)
    _write_run(run)
    try:
        with quieted(), Stoppable(folder / "checkpoints") as stoppable:
            _execute(run, experiment, record, console, fast, [Carry(carried_by(plan, stored)), stoppable])
    except (KeyboardInterrupt, Stopped):
        record.close("KILLED")
        raise
    except BaseException:
        record.close("FAILED")
        raise
    run.notes += record.close("FINISHED")
    run.mlflow_run = record.run_id  # known only now: the tracker was not waited for
    _write_run(run)
    return run


def _execute(
    run: Run, experiment: Experiment, record: Record, console: Any, fast: bool, callbacks: list[pl.Callback]
) -> None:
    plan, history = experiment.plan, History()
    batches = experiment.batches
    keep = _checkpoints(plan, run.folder)
    trainer = trainer_for(
        plan,
        logger=record.logger,
        callbacks=[
            *(c for r in plan.recipe.regularize.values() if (c := r.callback()) is not None),
            FiniteLoss(),
            history,
            keep,
            *callbacks,
            Display(console, plan.horizon.steps, plan.recipe.train.batch_size),
        ],
        fast=fast,
        root=run.folder,
    )
    trainer.fit(experiment.module, batches["train"], batches.get("val"))
    run.seconds = history.seconds
    best = Path(keep.best_model_path or keep.last_model_path or run.checkpoint)
    if best.exists():
        run.checkpoint = best
        experiment.module.load_state_dict(load(best)["state_dict"])
    metrics = {k: float(v) for k, v in trainer.callback_metrics.items() if "/" in k}
    if "val" in batches and not fast:
        metrics |= dict(trainer.validate(experiment.module, batches["val"], verbose=False)[0])
    if "test" in batches:
        metrics |= dict(trainer.test(experiment.module, batches["test"], verbose=False)[0])
    run.metrics = {k: v for k, v in metrics.items() if "/" in k}
    run.verdict = judge(plan, run.metrics)
    run.pictures = draw_all(run.folder / "pictures", history.points, experiment)
    record.finish(run.metrics, run.held if run.verdict else None, run.pictures, run.checkpoint)


def trainer_for(
    plan: Plan, *, logger: Any = False, callbacks: Any = (), fast: bool = False, root: Path | None = None
) -> pl.Trainer:
    """Make Lightning's Trainer for a plan."""
    train, hardware = plan.recipe.train, plan.recipe.hardware
    limits = {"limit_train_batches": 2, "limit_val_batches": 2, "limit_test_batches": 2} if fast else {}
    epochs = {"max_epochs": 1} if fast else {"max_epochs": train.epochs if train.steps is None else -1}
    return pl.Trainer(
        accelerator=hardware.accelerator,
        devices=1,
        precision=hardware.precision,  # type: ignore[arg-type]
        max_steps=train.steps if train.steps is not None and not fast else -1,
        accumulate_grad_batches=train.accumulate,
        check_val_every_n_epoch=train.validate_every,
        log_every_n_steps=train.log_every,
        deterministic=train.deterministic,
        logger=logger,
        callbacks=list(callbacks),
        plugins=[WholeCheckpointIO()],
        default_root_dir=root,
        enable_checkpointing=any(isinstance(c, ModelCheckpoint) for c in callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        **epochs,  # type: ignore[arg-type]
        **limits,  # type: ignore[arg-type]
    )


def carried_by(plan: Plan, stored: dict[str, Any]) -> dict[str, Any]:
    """Return what every checkpoint of the run carries: enough to build the experiment again without its recipe."""
    return {
        "recipe": stored,
        "facts": plan.facts.to_json(),
        "base": str(plan.base.resolve()),
        "plugins": [p.to_json() for p in active()],
    }


def judge(plan: Plan, metrics: Mapping[str, float]) -> list[Verdict]:
    """Hold every claim of the recipe against the plan's quantities and the run's metrics."""
    known = {**plan.quantities, **metrics}
    claims = plan.recipe.expect.items()
    return [Verdict(m, claim, known.get(m), m in known and holds(claim, known[m])) for m, claim in claims]


def _checkpoints(plan: Plan, folder: Path) -> ModelCheckpoint:
    monitor, mode = monitored(plan)
    return ModelCheckpoint(
        folder / "checkpoints", filename="best", monitor=monitor, mode=mode, save_last=True, save_top_k=1,
        enable_version_counter=False, save_on_train_epoch_end=None if plan.seen.counts.get("val") else True,
    )  # fmt: skip


@contextmanager
def quieted() -> Iterator[None]:
    """Silence Lightning's advice about loaders, devices and other products, which dlx decides itself."""
    import logging

    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric")]
    before = [(log, log.level) for log in loggers]
    for log in loggers:
        log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for text in ADVICE:
                warnings.filterwarnings("ignore", message=f".*{text}.*")
            yield
    finally:
        for log, level in before:
            log.setLevel(level)


def _new_folder(root: Path, name: str) -> Path:
    """Make a directory of its own for a run, whatever else starts at the same moment."""
    for _ in range(20):
        folder = root / f"{name}-{secrets.token_hex(3)}"
        try:
            (folder / "checkpoints").mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UsageError(f"{root} cannot be written: {error.strerror}") from None
        if not os.access(folder, os.W_OK):
            break
        return folder
    raise UsageError(f"{root} cannot be written")


def _describe(folder: Path, plan: Plan, loaded: Loaded, stored: dict[str, Any]) -> None:
    """Write down what is about to run: the recipe as written and as resolved, and the lock."""
    resolved = yaml.safe_dump(stored, sort_keys=False, allow_unicode=True)
    write_whole(folder / "recipe.yaml", loaded.redacted_text().encode())
    write_whole(folder / "resolved.yaml", resolved.encode())
    write_whole(folder / "lock.json", json.dumps(lock(plan), indent=2).encode())


def _write_run(run: Run) -> None:
    write_whole(run.folder / "run.json", json.dumps({**run.to_json(), "time": time.time()}, indent=2).encode())
