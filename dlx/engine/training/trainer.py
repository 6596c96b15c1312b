"""Lightning's Trainer for a plan: precision, strategy, validation and checkpoints as the recipe says."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.utilities import registry
from pytorch_lightning.callbacks import Checkpoint

from dlx.engine.checkpoint import AtomicCheckpointIO
from dlx.engine.distributed.processes import RankEnvironment, world_size
from dlx.engine.training.callbacks import BroadcastBuffers
from dlx.plan import Plan

ADVICE = (
    "does not have many workers",
    "number of training batches",
    "The `srun` command is available",
    "sync_dist=True",
    "broadcast_buffers",
    "Checkpoint directory",
    "LeafSpec",
    "`IterableDataset`",
    "but have no logger configured",
    "but have no `val_dataloader`",
)


def build_trainer(
    plan: Plan, *, logger: Any = False, callbacks: Any = (), fast: bool = False, root: Path | None = None
) -> pl.Trainer:
    """Build Lightning's Trainer for a plan."""
    _cache_entry_points()
    train, hardware = plan.recipe.train, plan.recipe.hardware
    by_steps = train.steps is not None and not fast
    devices, several = int(hardware.devices), world_size(plan) > 1
    in_turns = len(plan.networks) > 1 and not plan.recipe.task.shared_gradient
    few = {"limit_val_batches": 2, "limit_test_batches": 2} if fast else {}
    return pl.Trainer(
        accelerator=hardware.accelerator,
        devices=devices,
        num_nodes=hardware.num_nodes,
        strategy=hardware.strategy.build(in_turns) if several else "auto",  # type: ignore[union-attr]
        sync_batchnorm=hardware.sync_batchnorm and several,
        precision=hardware.precision,  # type: ignore[arg-type]
        max_steps=plan.length.steps if by_steps else -1,
        max_epochs=-1 if by_steps else 1 if fast else train.epochs,
        check_val_every_n_epoch=train.val_every_n_epochs,
        deterministic=train.deterministic,
        logger=logger,
        log_every_n_steps=1,
        callbacks=[*callbacks, *([BroadcastBuffers()] if several else [])],
        plugins=[AtomicCheckpointIO(), RankEnvironment(devices) if several else LightningEnvironment()],
        default_root_dir=root,
        enable_checkpointing=any(isinstance(c, Checkpoint) for c in callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        **few,  # type: ignore[arg-type]
    )


def _cache_entry_points() -> None:
    """Let Lightning search the installed packages for callbacks once in a process, and not for every Trainer: it opens
    a file of each package, which takes longer than ten epochs of a small network.
    """
    names: dict[str, Any] = vars(registry)
    if not hasattr(names["entry_points"], "cache_info"):
        names["entry_points"] = cache(names["entry_points"])


@contextmanager
def silence_lightning() -> Iterator[None]:
    """Silence Lightning's log and its warnings about loaders and devices, which dlx decides itself."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric")]
    before = [(log, log.level) for log in loggers if log.level != logging.ERROR]
    for log, _ in before:
        log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for text in ADVICE:
                warnings.filterwarnings("ignore", message=f".*{text}.*")
            yield
    finally:
        for log, level in before:
            log.setLevel(level)
