"""Shares of a batch: several processes see every sample once, with the weight that it has for one."""

import numpy as np
import pytest
import torch

from dlx.engine.data.batches import Batches, shard


@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 64])
def test_the_shares_of_a_batch_weigh_every_sample_once(n, ranks):
    values = np.random.default_rng(n).normal(size=n)
    parts = [shard(n, rank, ranks) for rank in range(ranks)]
    counted = np.concatenate([np.arange(n)[part] for part, weight in parts if weight])
    assert sorted(counted) == list(range(n))
    mean = np.mean([values[part].sum() * weight for part, weight in parts])
    assert mean == pytest.approx(values.mean())
    assert all(len(values[part]) >= min(2, n) for part, _ in parts), "a single sample has no statistics"


@pytest.mark.parametrize("random", [False, True])
def test_shares_hold_the_samples_of_the_whole_batch_augmented_alike(random):
    x = torch.arange(46.0).reshape(23, 2)

    def noisy(batch):
        return {**batch, "x": batch["x"] + torch.rand_like(batch["x"])} if random else batch

    def batches(**changes):
        made = Batches({"x": x}, np.arange(23), 8, 3, shuffle=True, transforms=[noisy], random=random, **changes)
        made.set_epoch(1)
        return made

    whole, parts = list(batches()), [list(batches(rank=rank, num_replicas=3)) for rank in range(3)]
    for number, batch in enumerate(whole):
        mine = [p[number] for p in parts]
        assert torch.equal(torch.cat([p["x"] for p in mine if p["weight"].any()]), batch["x"])
        assert sum(p["weight"].sum() for p in mine) == pytest.approx(3)
    resumed = list(batches(rank=1, num_replicas=3).iterate_from(1))
    assert all(torch.equal(a["x"], b["x"]) for a, b in zip(resumed, parts[1][1:], strict=True))


def test_processes_evaluate_every_row_once():
    parts = [Batches({"x": torch.zeros(23, 1)}, np.arange(23), 4, 0, rank=rank, num_replicas=3) for rank in range(3)]
    assert sorted(int(r) for part in parts for batch in part for r in batch["rows"]) == list(range(23))
