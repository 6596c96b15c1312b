"""When torch's fused kernels serve: one pass over memory for the whole update, instead of one per operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

Group = dict[str, Any]


def use_fused(groups: Sequence[Group], devices: tuple[str, ...] = ("cpu", "cuda")) -> bool | None:
    """Return True where every parameter is real floating point, not sharded, and on one of these kinds of device.

    Otherwise None, with which torch chooses by itself: foreach kernels on CUDA, a plain loop elsewhere.
    """
    parameters: list[torch.Tensor] = [p for group in groups for p in group["params"]]
    whole = not any(hasattr(p, "to_local") for p in parameters)  # few of the kernels know parameters in parts
    serves = whole and all(p.is_floating_point() and p.device.type in devices for p in parameters)
    return True if serves else None


def with_momentum_buffers(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """Give parameters that get their first gradient later than others, as unfrozen layers do, a momentum of zero.

    torch's fused kernel of SGD takes all buffers or none, and gradients may be there only inside of the step, by a
    closure. From zero the first step is what it is without a buffer, where there is no dampening.
    """
    import torch

    def fill(self: torch.optim.Optimizer, *_: Any) -> None:
        for parameter in (p for group in self.param_groups for p in group["params"]):
            if self.state[parameter].get("momentum_buffer") is None:
                self.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)

    optimizer.register_step_pre_hook(fill)
    return optimizer
