"""A recipe as a project: a module file, a script, the data as arrays, and requirements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import dlx.plan
from dlx.engine.build.experiment import Experiment, build
from dlx.engine.data.batches import Batches
from dlx.engine.eject.expressions import CallWriter, NotExpressibleError
from dlx.engine.eject.refusals import Refusal, refusals_of
from dlx.engine.eject.source import model_source, train_source
from dlx.errors import RecipeError, UsageError
from dlx.files import save_arrays, write_atomic
from dlx.nn.protocols import AuxiliaryLoss, AuxiliaryOutput, HasCriterion
from dlx.plan import Plan
from dlx.recipe.load import LoadedRecipe

CODE = "DLX490"
REQUIREMENTS = ("numpy", "pytorch-lightning", "safetensors", "torch")
TITLE = "a project trains one network by one loss of its output and one target for each sample"


def eject(loaded: LoadedRecipe, folder: Path) -> Path:
    """Write a recipe as a plain Lightning project into a new folder, and return it.

    Raises: RecipeError with everything that a plain project cannot have, at its line; UsageError if the folder is not
    empty; DataError.
    """
    if loaded.study is not None:
        raise RecipeError([loaded.diagnose_at((), "a study is many trainings: eject the recipe of one", CODE)])
    if folder.exists() and any(folder.iterdir() if folder.is_dir() else [folder]):
        raise UsageError(f"{folder} is not empty; choose another one with -o")
    plan = dlx.plan.make(loaded)
    _refuse(loaded, list(refusals_of(plan)))
    experiment = build(plan)
    writer, files, refused = CallWriter(), {}, list(_refusals_of_experiment(experiment))
    _refuse(loaded, refused)
    try:
        files["model.py"] = model_source(experiment, writer)
    except NotExpressibleError as error:
        _refuse(loaded, [((error.section,), str(error))])
    files["train.py"] = train_source(experiment)
    files["requirements.txt"] = "".join(f"{name}=={version(name)}\n" for name in REQUIREMENTS)
    save_arrays(folder / "data.npz", _arrays(experiment))
    for name, text in files.items():
        write_atomic(folder / name, text.encode())
    return folder


def _refuse(loaded: LoadedRecipe, refused: list[Refusal]) -> None:
    if refused:
        raise RecipeError([loaded.diagnose_at(loc, f"cannot be ejected: {why}", CODE) for loc, why in refused])


def _refusals_of_experiment(experiment: Experiment) -> list[Refusal]:
    """Return what stands against a plain project once everything is built."""
    if not isinstance(experiment.module, HasCriterion):
        return [(("task",), TITLE)]
    module: Any = experiment.module
    batch = next(iter(_in_order(experiment.batches["train"])))
    if not isinstance(module.input_of(batch), torch.Tensor) or module.context_of(batch):
        return [(("data",), "the network takes one tensor: sequences of any length, or several inputs, are more")]
    if not _is_plain_loss(module, batch):
        return [(("task",), TITLE)]
    if not _has_torch_weights(experiment.plan, module.networks[module.role]):
        return [(("model",), "its weights are not initialized as torch's layers do it by themselves")]
    return []


def _is_plain_loss(module: Any, batch: dict[str, torch.Tensor]) -> bool:
    """Return whether the loss is, to the bit, the criterion of the network's output and the target."""
    network = module.networks[module.role]
    if any(isinstance(part, AuxiliaryLoss | AuxiliaryOutput) for part in network.modules()):
        return False
    module.eval()
    try:
        with torch.no_grad():
            plain = module.criterion(network(module.input_of(batch)), module.loss_target(batch))
            return torch.equal(plain, module.loss(batch))
    except (RuntimeError, ValueError, IndexError):  # of shapes that only the task brings together
        return False
    finally:
        module.train()


def _has_torch_weights(plan: Plan, network: nn.Module) -> bool:
    """Return whether layers that are built one after the other have the network's weights already."""
    import pytorch_lightning as pl

    (planned,) = plan.networks.values()
    with torch.random.fork_rng(devices=[]):
        pl.seed_everything(plan.recipe.seed, verbose=False)
        fresh: nn.Module = planned.tree.build(planned.input)  # type: ignore[arg-type]
    state = network.state_dict()
    return all(torch.equal(value, state[name]) for name, value in fresh.state_dict().items())


def _in_order(batches: Batches) -> Batches:
    return replace(batches, shuffle=False)


def _arrays(experiment: Experiment) -> Mapping[str, Any]:
    """Return the samples of every split as the network and the loss take them."""
    module: Any = experiment.module
    found: dict[str, Any] = {}
    for split, batches in experiment.batches.items():
        taken = [(module.input_of(b), module.loss_target(b)) for b in _in_order(batches)]
        for name, parts in zip(("x", "y"), zip(*taken, strict=True), strict=True):
            found[f"{name}_{split}"] = np.concatenate([part.cpu().numpy() for part in parts])
    return found
