"""The queue of keys and the encoder that follows another, apart from any task."""

import torch
from torch import nn

from dlx.tasks._ssl.momentum_encoder import MomentumEncoder
from dlx.tasks._ssl.queue import FeatureQueue


def test_a_queue_holds_what_came_last():
    queue = FeatureQueue({"x": torch.zeros(5)})
    seen = []
    for size in (2, 3, 1, 4, 9):
        rows = torch.arange(len(seen) + 1, len(seen) + 1 + size).float()
        queue.enqueue({"x": rows})
        seen += rows.tolist()
        assert sorted(queue.x.tolist())[-min(5, len(seen)) :] == seen[-5:]


def test_a_momentum_encoder_follows_and_keeps_its_own_statistics():
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    copy = MomentumEncoder([network])
    before = [p.clone() for p in copy.parameters()]
    with torch.no_grad():
        for p in network.parameters():
            p.add_(1.0)
    network(torch.randn(4, 2))
    copy.update([network], 0.75)
    for old, new in zip(before, copy.parameters(), strict=True):
        assert torch.allclose(new, old + 0.25)
    assert not any(p.requires_grad for p in copy.parameters())
    assert copy[0][1].running_mean.tolist() == [0, 0, 0]
