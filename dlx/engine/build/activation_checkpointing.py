"""Blocks that keep only their input for the backward pass, and compute their inside again in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


def recompute(network: nn.Module, paths: Iterable[str]) -> None:
    """Let the parts of a network at these paths forget what they computed. Names and results stay as they are."""
    for path in paths:
        part = network.get_submodule(path)
        part.forward = partial(_forgetting, part)


def _forgetting(part: nn.Module, *inputs: Any) -> Any:
    forward = partial(type(part).forward, part)
    if not torch.is_grad_enabled():
        return forward(*inputs)
    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=partial(_contexts, part))


def _contexts(part: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    return nullcontext(), _as_it_was(part)


@contextmanager
def _as_it_was(part: nn.Module) -> Iterator[None]:
    """Leave the buffers as they are: batch statistics are counted in the forward pass, once."""
    before = [(buffer, buffer.clone()) for buffer in part.buffers()]
    try:
        yield
    finally:
        for buffer, value in before:
            buffer.copy_(value)
