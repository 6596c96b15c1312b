"""A run as one function: from encoded inputs, as the source has them, to what `dlx predict` makes a table of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dlx.engine.data.batches import build_transforms, bytes_to_floats
from dlx.engine.export.inputs import ArtifactInput, plan_inputs
from dlx.nn.protocols import Batch
from dlx.plan import Plan

HARDWARE = {
    "accelerator": "cpu", "devices": 1, "num_nodes": 1, "compile": False, "activation_checkpointing": False,
    "channels_last": False,
}  # fmt: skip
"""How a run is restored for an export: as plain modules on the CPU."""
TRACED_SAMPLES = 3
"""Samples of the batch that is traced: torch.export takes dimensions of 0 and 1 for constants."""
TRACED_STEPS = 4
"""Steps of it at least, where their number is free."""


class RunFunction(nn.Module):
    """Transforms, network, and what makes predictions of its output: a function of tensors in a fixed order."""

    def __init__(self, module: nn.Module, plan: Plan) -> None:
        super().__init__()
        self.module = module
        self.inputs = plan_inputs(plan)
        transforms = build_transforms(plan.recipe.data.transforms, plan.facts)  # type: ignore[arg-type]
        self.transforms = [bytes_to_floats(plan.facts), *transforms]

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the predictions (B, …)."""
        batch: Batch = {entry.key: value for entry, value in zip(self.inputs, inputs, strict=True)}
        batch["rows"] = torch.arange(inputs[0].shape[0])
        for transform in self.transforms:
            batch = transform(batch)
        predictions: Tensor = self.module.predict_step(batch, 0)  # type: ignore[operator]
        return predictions


def input_tensors(batch: Mapping[str, Tensor], inputs: Sequence[ArtifactInput]) -> dict[str, Tensor]:
    """Return the inputs of an artifact, by name, from a batch without transforms: where nothing is padding, a mask says
    so.
    """
    found = {}
    for entry in inputs:
        value = batch.get(entry.key)
        if value is None:
            value = torch.ones(batch[entry.field].shape[:2], dtype=torch.bool)
        found[entry.name] = pad_steps(value.cpu(), entry.steps or 0)
    return found


def pad_steps(value: Tensor, steps: int) -> Tensor:
    """Return sequences (B, T, …) padded to so many steps at least."""
    absent = steps - value.shape[1] if value.ndim > 1 else 0
    return torch.cat([value, value.new_zeros(len(value), absent, *value.shape[2:])], 1) if absent > 0 else value


def traced_batch(batch: Mapping[str, Tensor], inputs: Sequence[ArtifactInput]) -> list[Tensor]:
    """Return the inputs that are traced: a few samples, of a few steps where that is free."""
    arrays = input_tensors(batch, inputs)
    samples = torch.arange(TRACED_SAMPLES) % len(next(iter(arrays.values())))
    return [pad_steps(arrays[x.name][samples], TRACED_STEPS if x.varies else 0) for x in inputs]


def dynamic_shapes(inputs: Sequence[ArtifactInput]) -> list[Mapping[int, Any]]:
    """Return the free dimensions of each input: the batch, and the steps of sequences whose length varies."""
    batch = torch.export.Dim("batch", min=1)
    steps = {
        entry.field: torch.export.Dim(f"{entry.field}_steps", min=1, max=entry.longest)
        for entry in inputs
        if entry.varies and entry.steps is None
    }
    return [{0: batch, 1: steps[entry.field]} if entry.field in steps else {0: batch} for entry in inputs]
