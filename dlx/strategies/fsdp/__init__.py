from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from dlx.strategies import Strategy

SHARDING: dict[str, Literal["FULL_SHARD", "SHARD_GRAD_OP", "HYBRID_SHARD"]] = {
    "full": "FULL_SHARD",
    "gradients": "SHARD_GRAD_OP",
    "hybrid": "HYBRID_SHARD",
}


class FSDP(Strategy):
    """Parameters, gradients and optimizer state are cut into one part a device, and gathered layer by layer when used.

    For networks that do not fit on one device; needs GPUs. Slower than copies where copies fit.

    Units:   wrap_above counts parameters.
    Source:  Zhao et al. 2023, arXiv:2304.11277; pytorch_lightning's FSDPStrategy.

    Example:
        {type: fsdp, shard: full}
    """

    accelerators: ClassVar[tuple[str, ...]] = ("gpu",)
    type: Literal["fsdp"] = "fsdp"
    shard: Literal["full", "gradients", "hybrid"] = "full"
    """What is cut: everything; gradients and state alone; or everything within a machine, with copies between them."""
    offload: bool = False
    """Whether parameters rest in the host's memory while they are not used."""
    wrap_above: int = Field(1_000_000, ge=1)
    """Parameters from which on a module is gathered by itself."""

    def build(self) -> Any:
        from functools import partial

        from pytorch_lightning.strategies import FSDPStrategy
        from torch.distributed.fsdp.wrap import size_based_auto_wrap_policy

        return FSDPStrategy(
            auto_wrap_policy=partial(size_based_auto_wrap_policy, min_num_params=self.wrap_above),
            sharding_strategy=SHARDING[self.shard],
            cpu_offload=self.offload,
            state_dict_type="full",
        )
