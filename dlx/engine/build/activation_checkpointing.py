"""Activation checkpointing: blocks keep only their input, and compute their inside again in the backward pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


def checkpoint_activations(network: nn.Module, paths: Iterable[str]) -> None:
    """Let the blocks of a network at these paths drop their activations. Names and results stay as they are."""
    for path in paths:
        block = network.get_submodule(path)
        block.forward = partial(_checkpointed_forward, block)


def _checkpointed_forward(block: nn.Module, *inputs: Any) -> Any:
    forward = partial(type(block).forward, block)
    if not torch.is_grad_enabled():
        return forward(*inputs)
    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=partial(_contexts, block))


def _contexts(block: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    return nullcontext(), _preserve_buffers(block)


@contextmanager
def _preserve_buffers(block: nn.Module) -> Iterator[None]:
    """Leave the buffers as they are: batch statistics are counted in the forward pass, once."""
    before = [(buffer, buffer.clone()) for buffer in block.buffers()]
    try:
        yield
    finally:
        for buffer, value in before:
            buffer.copy_(value)
