"""Networks in parts: each process holds a part of every parameter, and gathers a layer while it uses it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from dlx.errors import RunError


class Sharded(DDPStrategy):
    """Starts and evaluates as with copies of the network; while it learns, the networks are in parts.

    A checkpoint is read before they are cut, and holds them whole, at rank 0 alone.

    full        whether a part that was gathered is given up after the forward pass, to be gathered again
    wrap_above  parameters from which on a layer is gathered by itself
    """

    def __init__(self, full: bool, wrap_above: int) -> None:
        super().__init__()
        self.full, self.wrap_above = full, wrap_above

    # -- what Lightning calls -----------------------------------------------------------------------------------------

    def model_to_device(self) -> None:
        if not self._is_fitting:
            super().model_to_device()

    def configure_ddp(self) -> None:
        """Cut the networks; a device sees no more of them than its part."""
        module: Any = self.lightning_module
        mesh = init_device_mesh(self.root_device.type, (self.world_size,))
        for network in module.networks.values():
            for parameter in network.parameters():
                dist.broadcast(parameter.detach(), src=0)
            cut(network, mesh, self.full, self.wrap_above)
        super().model_to_device()

    def on_validation_start(self) -> None:
        """Gather everything: each process evaluates at its own pace, and waits for nobody."""
        with torch.inference_mode(False), torch.no_grad():
            for part in self._parts():
                part.set_reshard_after_forward(False, recurse=False)
                part.unshard()

    def on_validation_end(self) -> None:
        for part in self._parts():
            part.reshard()
            part.set_reshard_after_forward(self.full, recurse=False)

    def teardown(self) -> None:
        if not self._parts():
            super().teardown()
            return
        self.optimizers = []  # parts stay where they are: the weights of the run are those that were written
        assert self.cluster_environment is not None and self.accelerator is not None
        self.cluster_environment.teardown()
        self.precision_plugin.teardown()
        self.accelerator.teardown()

    # -- checkpoints --------------------------------------------------------------------------------------------------

    def lightning_module_state_dict(self) -> dict[str, Any]:
        return self._at_rank_zero(super().lightning_module_state_dict())

    def optimizer_state(self, optimizer: Any) -> dict[str, Any]:
        return self._at_rank_zero(super().optimizer_state(optimizer))

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        for optimizer, state in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            optimizer.load_state_dict(in_parts(state, optimizer))

    def _at_rank_zero(self, state: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = whole(state, keep=self.is_global_zero)
        return found if self.is_global_zero else {}

    # -- the parts ----------------------------------------------------------------------------------------------------

    @property
    def _is_fitting(self) -> bool:
        assert self.lightning_module is not None
        return self.lightning_module.trainer.state.fn == "fit"

    def _parts(self) -> list[FSDPModule]:
        module = self.lightning_module
        return [] if module is None else [m for m in module.modules() if isinstance(m, FSDPModule)]


def cut(network: nn.Module, mesh: DeviceMesh, full: bool, wrap_above: int) -> None:
    """Cut a network's parameters into as many parts as there are processes.

    Layers of sequences are gathered by themselves if they have so many parameters that no smaller part of them is.
    Nothing but a sequence is known to use its children by their forward pass alone. What is shared is the network's.

    Raises: RunError if a parameter has no dimension.
    """
    for name, parameter in network.named_parameters():
        if parameter.ndim == 0:
            raise RunError(f"{name} is a single number, which fsdp cannot cut into parts; use ddp")
    shared = _shared(network)
    gathered: set[nn.Parameter] = set()
    for layer in reversed([child for m in network.modules() if isinstance(m, nn.Sequential) for child in m]):
        own = set(layer.parameters()) - gathered
        if sum(p.numel() for p in own) >= wrap_above and not own & shared and not isinstance(layer, FSDPModule):
            fully_shard(layer, mesh=mesh, reshard_after_forward=full)
            gathered |= set(layer.parameters())
    fully_shard(network, mesh=mesh, reshard_after_forward=full)


def _shared(network: nn.Module) -> set[nn.Parameter]:
    """Return the parameters that have several names."""
    names = Counter(p for _, p in network.named_parameters(remove_duplicate=False))
    return {parameter for parameter, count in names.items() if count > 1}


def whole(state: Any, keep: bool = True) -> Any:
    """Return a state whose tensors are whole and on the host. All processes gather them; those that do not keep them
    get None in their place.
    """
    if isinstance(state, DTensor):
        gathered = state.full_tensor()
        return gathered.cpu() if keep else None
    if isinstance(state, Mapping):
        return {name: whole(value, keep) for name, value in state.items()}
    return [whole(value, keep) for value in state] if isinstance(state, list) else state


def in_parts(state: Mapping[str, Any], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return the whole state of an optimizer with this process's part of everything that is shaped as a parameter."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    parts = {
        number: {name: _part(value, parameters[number]) for name, value in own.items()}
        for number, own in state["state"].items()
    }
    return {**state, "state": parts}


def _part(value: Any, parameter: Tensor) -> Any:
    if not (isinstance(value, Tensor) and isinstance(parameter, DTensor) and value.shape == parameter.shape):
        return value
    value = value.to(parameter.device)
    return distribute_tensor(value, parameter.device_mesh, parameter.placements, src_data_rank=None)
