"""The partition function of a restricted Boltzmann machine of 0 and 1. V visible, H hidden units, C chains."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F


class Binary(Protocol):
    """What a machine is made of."""

    weight: Tensor
    hidden_bias: Tensor
    visible_bias: Tensor


@torch.no_grad()
def annealed(machine: Binary, chains: int, temperatures: int, generator: torch.Generator | None = None) -> Tensor:
    """Estimate log Z by annealed importance sampling.

    Chains begin in the machine without weights and hidden biases, whose Z is known, and come step by step to the whole
    one, p_β(v) ∝ exp(b·v) Πⱼ (1 + exp(β (W v + c)ⱼ)); the mean of their weights is the ratio of the two.
    """
    weight_HV, bias_H, bias_V = machine.weight, machine.hidden_bias, machine.visible_bias

    def hidden(visible_CV: Tensor) -> Tensor:
        return F.linear(visible_CV, weight_HV, bias_H)

    state_CV = torch.bernoulli(bias_V.sigmoid().expand(chains, -1), generator=generator)
    log_weight_C = torch.zeros(chains, device=bias_V.device)
    for step in range(temperatures):
        cold, warm = (step + 1) / temperatures, step / temperatures
        total_CH = hidden(state_CV)
        log_weight_C += (F.softplus(cold * total_CH) - F.softplus(warm * total_CH)).sum(1)
        units_CH = torch.bernoulli((cold * total_CH).sigmoid(), generator=generator)
        mean_CV = F.linear(units_CH, cold * weight_HV.T, bias_V).sigmoid()
        state_CV = torch.bernoulli(mean_CV, generator=generator)
    known = F.softplus(bias_V).sum() + len(bias_H) * math.log(2)
    return known + log_weight_C.logsumexp(0) - math.log(chains)


@torch.no_grad()
def enumerated(machine: Binary) -> Tensor:
    """Return log Z, summed over all states of the hidden units: for 20 of them at most."""
    count = len(machine.hidden_bias)
    states_SH = (torch.arange(2**count).unsqueeze(1) >> torch.arange(count) & 1).float()
    visible_SV = F.softplus(F.linear(states_SH, machine.weight.T, machine.visible_bias))
    return (states_SH @ machine.hidden_bias + visible_SV.sum(1)).logsumexp(0)
