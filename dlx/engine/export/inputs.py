"""The inputs of an artifact, and how they are made of samples. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dlx.facts import DataFacts
from dlx.layers import walk
from dlx.plan import Plan
from dlx.tasks import MASK
from dlx.tensors import TensorSpec


@dataclass(frozen=True)
class ArtifactInput:
    """One input of an artifact.

    name     as the artifact has it
    key      the field of a batch
    field    the field of the data that it holds, or masks
    spec     what a sample of it is
    longest  steps at most, of a sequence whose length varies; None without a limit
    padded   whether every sequence is padded to as many steps
    """

    name: str
    key: str
    field: str
    spec: TensorSpec
    longest: int | None = None
    padded: bool = False

    @property
    def varies(self) -> bool:
        """Whether samples differ in their number of steps."""
        return self.spec.axes.startswith("T") and self.spec.dims[0] is None

    @property
    def steps(self) -> int | None:
        """The number of steps that every sample is padded to; None where it is free, or there are none."""
        return self.longest if self.varies and self.padded else None

    @property
    def is_mask(self) -> bool:
        """Whether it says which steps of a field are real and not padding."""
        return self.key != self.field

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values: dimensions that are free have names."""
        dims = [(self.steps or f"{self.field}_steps") if dim is None else dim for dim in self.spec.dims]
        names = {"columns": list(self.spec.names)} if self.spec.names else {}
        return {"name": self.name, "dtype": self.spec.dtype, "shape": ["batch", *dims], "axes": self.spec.axes, **names}


def plan_inputs(plan: Plan) -> list[ArtifactInput]:
    """Return the inputs of a plan's artifacts."""
    return artifact_inputs(plan.facts, has_fixed_steps(plan))


def has_fixed_steps(plan: Plan) -> bool:
    """Say whether a layer steps through sequences, so that torch.export unrolls it for one number of steps."""
    walks = (walk(network.tree, network.input) for network in plan.networks.values())
    return any(layer.unrolls_steps for layers in walks for _, layer, _ in layers)


def artifact_inputs(facts: DataFacts, padded: bool) -> list[ArtifactInput]:
    """Return every input in order: the fields, and behind each whose length varies its attention mask."""
    found = []
    for name in facts.inputs:
        spec, longest = facts.fields[name], _longest(facts, name)
        entry = ArtifactInput(name, name, name, spec, longest, padded)
        found.append(entry)
        if entry.varies:
            mask = TensorSpec(spec.dims[:1], "T", "bool")
            found.append(ArtifactInput(f"{name}_mask", name + MASK, name, mask, longest, padded))
    return found


def _longest(facts: DataFacts, name: str) -> int | None:
    """Return how many steps a sequence has at most: what its text is cut to, or the most that there were."""
    stored = facts.tokenizers.get(name, {}).get("max_length")
    if stored is not None:
        return int(stored)
    return facts.lengths[name].max if name in facts.lengths else None
