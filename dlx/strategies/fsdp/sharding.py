"""What a process holds of a network, and of its optimizer's state: a part of every tensor, cut along its first
dimension.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from dlx.errors import RunError


def shard_network(network: nn.Module, mesh: DeviceMesh, reshard_after_forward: bool, min_num_params: int) -> None:
    """Shard the parameters of a network across all processes.

    A layer of a sequence is gathered by itself if it has so many parameters that no smaller part of it has. Only a
    sequence is known to use its children through their forward pass alone. Shared parameters belong to the network.

    Raises: RunError if a parameter has no dimension.
    """
    for name, parameter in network.named_parameters():
        if parameter.ndim == 0:
            raise RunError(f"{name} is a single number, which fsdp cannot cut into parts; use ddp")
    shared = _shared_parameters(network)
    gathered: set[nn.Parameter] = set()
    for layer in reversed([child for m in network.modules() if isinstance(m, nn.Sequential) for child in m]):
        own = set(layer.parameters()) - gathered
        if sum(p.numel() for p in own) >= min_num_params and not own & shared and not isinstance(layer, FSDPModule):
            _shard_layer(layer, mesh, reshard_after_forward)
            gathered |= set(layer.parameters())
    _shard_layer(network, mesh, reshard_after_forward)


def _shard_layer(layer: nn.Module, mesh: DeviceMesh, reshard_after_forward: bool) -> None:
    layer.register_forward_hook(_clone_view)
    fully_shard(layer, mesh=mesh, reshard_after_forward=reshard_after_forward)


def _clone_view(layer: nn.Module, inputs: Any, output: Any) -> Any:
    """Return an output that may be changed in place: of a view, torch would not know when to gather again."""
    return output.clone() if isinstance(output, Tensor) and output._is_view() else output


def _shared_parameters(network: nn.Module) -> set[nn.Parameter]:
    """Return the parameters that have several names."""
    names = Counter(p for _, p in network.named_parameters(remove_duplicate=False))
    return {parameter for parameter, count in names.items() if count > 1}


def full_state(state: Any, keep: bool = True) -> Any:
    """Return a state with full tensors on the host. All processes take part in gathering; those that do not keep them
    get None instead.
    """
    if isinstance(state, DTensor):
        gathered = state.full_tensor()
        return gathered.cpu() if keep else None
    if isinstance(state, Mapping):
        return {name: full_state(value, keep) for name, value in state.items()}
    return [full_state(value, keep) for value in state] if isinstance(state, list) else state


def shard_optimizer_state(state: Mapping[str, Any], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return an optimizer's full state with this process's shard of every tensor that is shaped like its parameter."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    parts = {
        number: {name: _shard_tensor(value, parameters[number]) for name, value in own.items()}
        for number, own in state["state"].items()
    }
    return {**state, "state": parts}


def _shard_tensor(value: Any, parameter: Tensor) -> Any:
    if not (isinstance(value, Tensor) and isinstance(parameter, DTensor) and value.shape == parameter.shape):
        return value
    value = value.to(parameter.device)
    return distribute_tensor(value, parameter.device_mesh, parameter.placements, src_data_rank=None)
