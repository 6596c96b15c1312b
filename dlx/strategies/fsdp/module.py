"""Networks in parts: each process holds a part of every parameter, and gathers a layer while it uses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from pytorch_lightning.strategies import DDPStrategy
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule

from dlx.strategies.fsdp.sharding import full_state, shard_network, shard_optimizer_state


class FullyShardedStrategy(DDPStrategy):
    """Starts and evaluates as DDP with full copies; during training, the networks are sharded.

    A checkpoint is loaded before sharding, and holds the full state, on rank 0 alone.

    reshard_after_forward  whether gathered parameters are freed after the forward pass and gathered again
    min_num_params         parameters from which on a layer is gathered by itself
    """

    def __init__(self, reshard_after_forward: bool, min_num_params: int) -> None:
        super().__init__()
        self.reshard_after_forward, self.min_num_params = reshard_after_forward, min_num_params

    # -- what Lightning calls -----------------------------------------------------------------------------------------

    def model_to_device(self) -> None:
        if not self._is_fitting:
            super().model_to_device()

    def configure_ddp(self) -> None:
        """Shard the networks; the full ones are never copied to a device."""
        module: Any = self.lightning_module
        mesh = init_device_mesh(self.root_device.type, (self.world_size,))
        for network in module.networks.values():
            for parameter in network.parameters():
                dist.broadcast(parameter.detach(), src=0)
            shard_network(network, mesh, self.reshard_after_forward, self.min_num_params)
        super().model_to_device()

    def on_validation_start(self) -> None:
        """Gather all parameters: each process evaluates without waiting for the others."""
        with torch.inference_mode(False), torch.no_grad():
            for part in self._parts():
                part.set_reshard_after_forward(False, recurse=False)
                part.unshard()

    def on_validation_end(self) -> None:
        for part in self._parts():
            part.reshard()
            part.set_reshard_after_forward(self.reshard_after_forward, recurse=False)

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
            optimizer.load_state_dict(shard_optimizer_state(state, optimizer))

    def _at_rank_zero(self, state: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = full_state(state, keep=self.is_global_zero)
        return found if self.is_global_zero else {}

    # -- what is here -------------------------------------------------------------------------------------------------

    @property
    def _is_fitting(self) -> bool:
        assert self.lightning_module is not None
        return self.lightning_module.trainer.state.fn == "fit"

    def _parts(self) -> list[FSDPModule]:
        module = self.lightning_module
        return [] if module is None else [m for m in module.modules() if isinstance(m, FSDPModule)]
