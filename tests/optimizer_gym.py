"""Small problems on which optimizers are tried."""

import torch
from torch import nn

from dlx.optimizers import parameter_groups


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64))


def train(made, loss_of, steps):
    def closure():
        made.zero_grad()
        loss = loss_of()
        loss.backward()
        return loss

    for _ in range(steps):
        made.step(closure)


def fit(spec, net, steps=5, seed=0, made=None):
    """Take steps on random but repeatable regression batches; return the torch optimizer."""
    made = made or spec.build(parameter_groups(spec, net))
    for step in range(steps):
        generator = torch.Generator().manual_seed(seed + step)
        x, y = torch.randn(2, 16, net[0].in_features, generator=generator)
        train(made, lambda x=x, y=y: (net(x) - y).square().mean(), 1)
    return made


def weights(net):
    return torch.cat([p.detach().flatten() for p in net.parameters()])
