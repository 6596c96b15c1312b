"""Adapters in a network: modules that change the outputs of its linear maps."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from dlx.adapters import MODULE, Adapter
from dlx.layers import Layer
from dlx.tensors import Spec


def attach_adapters(network: nn.Module, adapter: Adapter, tree: Layer, x: Spec) -> None:
    """Add an adapter's modules to the linear maps that it chooses; the network's own weights keep their names."""
    for path, maps in adapter.linear_maps(tree, x).items():
        for name in maps:
            linear: Any = network.get_submodule(".".join(filter(None, (path, name))))
            module = adapter.build(linear)
            if module is not None:
                linear.add_module(MODULE, module)
                linear.register_forward_hook(_adapt_output)


def _adapt_output(linear: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    return linear.get_submodule(MODULE)(linear, inputs[0], output)  # type: ignore[no-any-return]
