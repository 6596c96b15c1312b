"""Partition function of a restricted Boltzmann machine of 0 and 1. V visible, H hidden units, C chains."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F


class BinaryRBM(Protocol):
    """The weights of a machine."""

    weight: Tensor
    hidden_bias: Tensor
    visible_bias: Tensor


@torch.no_grad()
def annealed_importance_sampling(
    rbm: BinaryRBM, chains: int, temperatures: int, generator: torch.Generator | None = None
) -> Tensor:
    """Estimate log Z by annealed importance sampling (AIS).

    Chains begin in the machine without weights and hidden biases, whose Z is known, and come step by step to the whole
    one, p_β(v) ∝ exp(b·v) Πⱼ (1 + exp(β (W v + c)ⱼ)); the mean of their importance weights is the ratio of the two.
    """
    weight_HV, bias_H, bias_V = rbm.weight, rbm.hidden_bias, rbm.visible_bias
    state_CV = torch.bernoulli(bias_V.sigmoid().expand(chains, -1), generator=generator)
    log_weight_C = torch.zeros(chains, device=bias_V.device)
    for step in range(temperatures):
        beta, before = (step + 1) / temperatures, step / temperatures
        total_CH = F.linear(state_CV, weight_HV, bias_H)
        log_weight_C += (F.softplus(beta * total_CH) - F.softplus(before * total_CH)).sum(1)
        hidden_CH = torch.bernoulli((beta * total_CH).sigmoid(), generator=generator)
        mean_CV = F.linear(hidden_CH, beta * weight_HV.T, bias_V).sigmoid()
        state_CV = torch.bernoulli(mean_CV, generator=generator)
    log_z_without_weights = F.softplus(bias_V).sum() + len(bias_H) * math.log(2)
    return log_z_without_weights + log_weight_C.logsumexp(0) - math.log(chains)


@torch.no_grad()
def exact_log_partition(rbm: BinaryRBM) -> Tensor:
    """Return log Z, summed over all states of the hidden units: for 20 of them at most."""
    count = len(rbm.hidden_bias)
    states_SH = (torch.arange(2**count).unsqueeze(1) >> torch.arange(count) & 1).float()
    visible_SV = F.softplus(F.linear(states_SH, rbm.weight.T, rbm.visible_bias))
    return (states_SH @ rbm.hidden_bias + visible_SV.sum(1)).logsumexp(0)
