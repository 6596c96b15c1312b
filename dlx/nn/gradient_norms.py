"""How far back a recurrent network feels its mistakes. B batch, T time, F features, H state, L layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dlx.nn.recurrent import Recurrent, State, split_state


def gradient_norms_by_step(network: nn.Module, loss: Callable[[], Tensor]) -> dict[str, Tensor]:
    """Return, for every recurrent layer, the norm of the loss's gradient in the state after each step.

    The state of an LSTM is h and c together. `loss` runs the network on one batch and returns the mean over its
    samples; what comes back, one number a step, is the mean norm of a sample. Where the norms fall toward the first
    steps, these cannot be learned from. Nothing is added to the gradients of the parameters. Layers that read
    backwards, or from a cache, are left out.
    """
    seen: dict[str, list[State]] = {}
    layers = {name: module for name, module in network.named_modules() if isinstance(module, Recurrent)}
    hooks = [
        layer.core.register_forward_hook(_stepwise(seen.setdefault(name, [])))
        for name, layer in layers.items()
        if not layer.core.bidirectional
    ]
    if not hooks:
        return {}
    try:
        value = loss()
    finally:
        for hook in hooks:
            hook.remove()
    return {name: _norms(value, states) for name, states in seen.items() if states}


def _stepwise(states: list[State]) -> Callable[[nn.Module, tuple[Any, ...], Any], Any]:
    """Return a hook that runs torch's cells once more, one step at a time, and collects the state after each."""

    def hook(core: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:
        x_BTF, state = (*inputs, None)[:2]
        if not isinstance(x_BTF, Tensor):
            return output
        outputs: list[Tensor] = []
        for x_B1F in x_BTF.split(1, 1):
            _, state = core.forward(x_B1F, state)
            outputs.append(split_state(state)[0][-1])  # not torch's other tensor of it, past which gradients would go
            states.append(state)
        return torch.stack(outputs, 1), state

    return hook


def _norms(loss: Tensor, states: list[State]) -> Tensor:
    """Return the gradient's norm in each state, summed over samples."""
    wanted = [part for state in states for part in split_state(state)]
    gradients = torch.autograd.grad(loss, wanted, retain_graph=True, materialize_grads=True)
    squares_NB = torch.stack([gradient_LBH.square().sum((0, 2)) for gradient_LBH in gradients])
    squares_TB: Tensor = squares_NB.unflatten(0, (len(states), -1)).sum(1)
    return squares_TB.sqrt().sum(1)
