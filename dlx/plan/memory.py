"""How much memory training takes, in bytes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dlx.optimizers import Optimizer
from dlx.plan.blocks import kept
from dlx.plan.networks import NetworkPlan

FLOAT = 4


@dataclass(frozen=True)
class Memory:
    """Bytes at the peak of a training step, by what they hold."""

    parameters: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        """All of it together."""
        return self.parameters + self.gradients + self.optimizer + self.activations


def estimate(
    networks: Iterable[tuple[NetworkPlan, Optimizer]],
    batch: int,
    activation_bytes: int = FLOAT,
    recomputing: bool = False,
) -> Memory:
    """Price a training step on `batch` samples at a time, as long as the longest.

    During the backward pass, what was kept forward and the gradients of the widest layer's input and output are
    alive at once; `recomputing` says that blocks keep their input alone.
    """
    parameters = gradients = state = activations = 0
    for plan, optimizer in networks:
        parameters += FLOAT * (plan.cost.parameters + plan.cost.buffers)
        gradients += FLOAT * plan.cost.parameters
        state += round(FLOAT * plan.cost.parameters * optimizer.state_per_parameter)
        whole = plan.tree.cost(plan.longest).activations  # type: ignore[arg-type]
        alive = kept(plan.tree, plan.longest) if recomputing else whole
        activations += activation_bytes * batch * (alive + plan.widest)
    return Memory(parameters, gradients, state, activations)
