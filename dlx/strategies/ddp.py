from __future__ import annotations

from typing import Any, Literal

from dlx.strategies import Strategy


class DDP(Strategy):
    """Distributed data parallel (DDP): a copy of the network on every device, with gradients averaged in each step.

    Each device gets its share of the global batch, so that the steps are those of one device with the whole batch. The
    first choice where network, gradients and optimizer state fit on one device. Batch statistics, such as those of
    batch normalization, are computed over each device's share (on GPUs `hardware.sync_batchnorm` computes them over
    all), and the first device's are kept; dropout differs between devices.

    Source:  Li et al. 2020, arXiv:2006.15704; pytorch_lightning's DDPStrategy.

    Example:
        {type: ddp}
    """

    type: Literal["ddp"] = "ddp"
    find_unused_parameters: bool = False
    """Whether to look for parameters that a step does not use, which costs time; always on where several networks are
    updated in turns, as in a GAN.
    """
    static_graph: bool = False
    """Whether every step uses the same parameters in the same way, which saves memory with activation checkpointing."""

    def build(self, in_turns: bool) -> Any:
        from pytorch_lightning.strategies import DDPStrategy

        return DDPStrategy(
            find_unused_parameters=self.find_unused_parameters or in_turns,
            static_graph=self.static_graph,
            gradient_as_bucket_view=True,
            broadcast_buffers=False,  # would wait for the others in every forward pass, also in evaluation
        )
