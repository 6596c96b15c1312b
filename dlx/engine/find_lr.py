"""The learning-rate range test: the rate grows over a few steps, and the loss says which one learns fastest.

Source: Smith 2017, arXiv:1506.01186; by Lightning's Tuner.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pytorch_lightning.tuner.tuning import Tuner

from dlx.engine.build import build
from dlx.engine.run import quieted, trainer_for
from dlx.errors import RunError
from dlx.plan import Plan
from dlx.recipe.schema import Recipe

STEPS = 100
LR = "lr"


def find_lr(plan: Plan) -> float:
    """Return the rate at which the loss falls most steeply.

    Raises: RunError if the loss never falls.
    """
    experiment = build(plan)
    log = logging.getLogger("pytorch_lightning.tuner")
    log.setLevel(logging.ERROR)
    with TemporaryDirectory() as folder, quieted():
        trainer = trainer_for(plan, root=Path(folder))
        setattr(experiment.module, LR, 0.0)  # the Tuner asks for an attribute of this name
        found = Tuner(trainer).lr_find(
            experiment.module, experiment.batches["train"], num_training=STEPS, update_attr=False, attr_name=LR
        )
        rate = found.suggestion() if found is not None else None
    if rate is None:
        raise RunError("no learning rate made the loss fall; look at the data and the loss first")
    return float(rate)


def with_lr(plan: Plan, rate: float) -> Plan:
    """Return the plan with every optimizer's learning rate changed."""

    def changed(recipe: Recipe) -> Recipe:
        return recipe.model_copy(
            update={"optimizer": {role: o.model_copy(update={"lr": rate}) for role, o in recipe.optimizer.items()}}
        )

    return replace(plan, written=changed(plan.written), recipe=changed(plan.recipe))
