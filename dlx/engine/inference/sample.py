"""Sampling: samples that a generative run draws from noise, as an array, a sheet of images, or a cloud of points."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from dlx.console import new_console
from dlx.engine.data.inverse_transforms import inverse_transforms
from dlx.engine.inference.files import check_sample_file
from dlx.engine.inference.restore import RestoredRun, restore
from dlx.engine.training.progress import attach_progress
from dlx.errors import UsageError
from dlx.files import output_file, save_array, save_arrays, save_figure
from dlx.nn import protocols
from dlx.tensors import TensorSpec


@dataclass(frozen=True)
class Samples:
    """Samples in the units of the data; `spec` says what they are, `notes` what a person should know of them."""

    values: np.ndarray
    name: str
    spec: TensorSpec
    notes: list[str]

    def write(self, path: Path) -> None:
        """Write them as the suffix of the file says. Raises: UsageError if they cannot be."""
        check_sample_file(path)
        with output_file(path):
            if path.suffix == ".npz":
                save_arrays(path, {self.name: self.values})
            elif path.suffix == ".npy":
                save_array(path, self.values)
            else:
                save_figure(self._figure(path), path, dpi=120)

    def _figure(self, path: Path) -> Any:
        import torch

        from dlx.figures.samples import scatter, sheet
        from dlx.nn.images import to_image

        if self.values.ndim == 4:
            return sheet(to_image(torch.from_numpy(self.values), self.spec).numpy())
        if self.values.ndim == 2 and self.values.shape[1] == 2:
            return scatter(self.values[:0], self.values, f"{len(self.values)} samples")
        raise UsageError(f"{path}: only images and points in the plane can be drawn; write .npz")


def can_sample(restored: RestoredRun) -> bool:
    """Return whether a run samples from noise."""
    return isinstance(restored.module, protocols.Samples)


def sample(run: str | Path, n: int, seed: int, label: str | None = None, steps: int | None = None) -> Samples:
    """Sample from a run n times, the same for the same seed. Raises: UsageError; CheckpointError."""
    return draw_samples(restore(run), n, seed, label, steps)


def draw_samples(
    restored: RestoredRun, n: int, seed: int, label: str | None = None, steps: int | None = None
) -> Samples:
    """Sample from a restored run. Raises: UsageError if it cannot, or not from this class or in these steps."""
    task, facts = restored.plan.recipe.task.type, restored.plan.network_facts
    module = restored.module
    if not isinstance(module, protocols.Samples):
        raise UsageError(f"a run of the task {task} makes no samples")
    asked: dict[str, Any] = {}
    if label is not None:
        if label not in facts.classes:
            known = ", ".join(facts.classes) or "none, as the run was not told them"
            raise UsageError(f"--class {label}: the classes are {known}")
        asked["label"] = facts.classes.index(label)
    if steps is not None:
        asked["steps"] = steps
    foreign = [name for name in asked if name not in inspect.signature(module.sample).parameters]
    if foreign:
        option = {"label": "class", "steps": "steps"}[foreign[0]]
        raise UsageError(f"a run of the task {task} makes samples without --{option}")
    attach_progress(restored.module, new_console(error=True))
    return _to_data_units(module.sample(n, seed, **asked).detach().float().cpu(), restored)


def _to_data_units(made: Tensor, restored: RestoredRun) -> Samples:
    name, notes = restored.plan.facts.inputs[0], list(restored.notes)
    if made.shape[1:] != restored.plan.network_facts.fields[name].dims:
        return Samples(made.numpy(), "units", TensorSpec(tuple(made.shape[1:]), "F"), notes)
    units = inverse_transforms(restored.plan)
    if units.not_invertible is not None:
        notes.append(f"samples are as {units.not_invertible} leaves them, which cannot be undone")
    return Samples(units.to_storage(made).numpy(), name, units.spec, notes)
