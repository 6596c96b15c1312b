"""Memory estimate: how many bytes training takes at its peak."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dlx.layers import Layer
from dlx.optimizers import Optimizer
from dlx.plan.blocks import blocks
from dlx.plan.networks import NetworkPlan
from dlx.recipe.schema.hardware import Hardware
from dlx.tensors import Cost, Spec, elements

FLOAT = 4
HALF = 2


@dataclass(frozen=True)
class Memory:
    """Bytes at the peak of a training step, by what they hold.

    copies  what is kept besides the networks that learn: copies that follow them, averages, queues and memories
    """

    parameters: int
    gradients: int
    optimizer: int
    activations: int
    copies: int

    @property
    def total(self) -> int:
        """All of it together."""
        return sum(vars(self).values())


@dataclass(frozen=True)
class NumberSizes:
    """Bytes that a number takes, by what it is.

    weight      a weight, its gradient, or what an optimizer keeps of it
    copy        a weight once more, in the format in which it is multiplied
    activation  what is kept for the backward pass
    fused       whether a kernel computes in one what else keeps its steps
    """

    weight: int
    copy: int
    activation: int
    fused: bool

    def activation_bytes(self, cost: Cost) -> int:
        """Return the bytes kept of one sample for the backward pass."""
        return self.activation * cost.activations + (0 if self.fused else max(FLOAT, self.activation) * cost.unfused)


def number_sizes(hardware: Hardware) -> NumberSizes:
    """Return the bytes that numbers take on hardware of which every `auto` is resolved."""
    fused = hardware.accelerator != "cpu"
    if hardware.precision == 64:
        return NumberSizes(2 * FLOAT, 0, 2 * FLOAT, fused)
    mixed = hardware.precision != 32
    return NumberSizes(FLOAT, HALF if mixed else 0, HALF if mixed else FLOAT, fused)


def estimate_memory(
    networks: Iterable[tuple[NetworkPlan, Optimizer]],
    batch: int,
    hardware: Hardware,
    besides: int = 0,
    averages: int = 0,
) -> Memory:
    """Price a training step on `batch` samples at a time, as long as the longest.

    A task keeps so many numbers `besides` the networks that learn; of all that there are so many `averages`.
    """
    n = number_sizes(hardware)
    parameters = gradients = state = activations = whole = 0
    for plan, optimizer in networks:
        whole += plan.num_parameters + plan.cost.buffers
        parameters += n.weight * (plan.num_parameters + plan.cost.buffers) + n.copy * plan.num_parameters
        gradients += n.weight * plan.trainable_parameters
        state += round(n.weight * plan.trainable_parameters * optimizer.state_per_parameter)
        activations += batch * peak_activations(plan, n, hardware.activation_checkpointing)
    copies = n.weight * (besides + averages * (whole + besides))
    return Memory(parameters, gradients, state, activations, copies)


def peak_activations(plan: NetworkPlan, n: NumberSizes, activation_checkpointing: bool = False) -> int:
    """Return the bytes of one sample that are alive at once at most, what the loss keeps included.

    The backward pass goes through the layers from the last to the first: alive are what those before it and itself
    have kept, and the gradients that pass through it. With `activation_checkpointing` a block keeps only its input
    until its backward pass.
    """
    tree, x = plan.tree, plan.longest
    checkpointed = [path for path, _, _ in blocks(tree, x)] if activation_checkpointing else []
    steps = list(_backward(tree, x, n, checkpointed))
    alive = n.activation_bytes(tree.cost(x)) + 2 * FLOAT * elements(tree.shape(x))  # type: ignore[arg-type]
    alive += sum(min(0, freed) for freed, _ in steps)
    most = 0
    for freed, passing in steps:
        most = max(most, alive + passing)
        alive -= freed
    return most


def _backward(
    layer: Layer, x: Spec, n: NumberSizes, checkpointed: Sequence[str], path: str = "", held: int = 0
) -> Iterator[tuple[int, int]]:
    """Yield for each step of the backward pass the bytes that it frees, and those of gradients alive during it.

    A layer in `checkpointed` runs its forward pass again first, which frees less than nothing. held are
    elements of gradients that wait around a layer, as those beside a residual branch do.
    """
    if path in checkpointed:
        yield n.activation_bytes(Cost(activations=elements(x))) - n.activation_bytes(layer.cost(x)), 0  # type: ignore[arg-type]
    children = layer.children(x)  # type: ignore[arg-type]
    if not children:
        yield n.activation_bytes(layer.cost(x)), n.activation * (layer.workspace_elements(x) + held)  # type: ignore[arg-type]
        return
    held = held if layer.is_sequential else max(held, elements(layer.shape(x)))  # type: ignore[arg-type]
    for child in reversed(children):
        inner = f"{path}.{child.name}" if path else child.name
        yield from _backward(child.layer, child.x, n, checkpointed, inner, held)
