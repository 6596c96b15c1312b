"""Shapes and costs of a network, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass

from dlx.layers import Layer, walk
from dlx.tensors import Cost, Spec, TensorSpec


@dataclass(frozen=True)
class Row:
    """One layer of a network: where it is in the module, what it is, what comes out, what it costs for one sample."""

    path: str
    kind: str
    output: Spec
    cost: Cost


@dataclass(frozen=True)
class NetworkPlan:
    """A network of one role: its layers, what it is given and returns, and its whole cost for one sample."""

    role: str
    tree: Layer
    input: Spec
    output: Spec
    cost: Cost

    @property
    def rows(self) -> list[Row]:
        """The layers that hold no other layers, in forward order."""
        return [
            Row(path, layer.type, layer.shape(x), layer.cost(x))  # type: ignore[arg-type]
            for path, layer, x in walk(self.tree, self.input)
            if not layer.children(x)  # type: ignore[arg-type]
        ]


def network_plan(role: str, tree: Layer, x: Spec) -> NetworkPlan:
    """Propagate shapes and costs. Raises: ShapeError at the first layer that does not fit."""
    return NetworkPlan(role, tree, x, tree.shape(x), tree.cost(x))  # type: ignore[arg-type]


def describe(x: Spec) -> str:
    """Write a shape for people: `1 × 28 × 28`, or the fields of a record."""
    return str(x) if isinstance(x, TensorSpec) else ", ".join(f"{name} {spec}" for name, spec in x.items())
