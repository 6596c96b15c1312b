"""Relative position buckets: worked numbers, and those of the `transformers` library."""

import pytest
import torch

from dlx.layers.relative_bias.module import RelativePositionBias

STEPS = 300


def buckets(num_buckets, max_distance, causal, steps=STEPS):
    """Return the bucket of each query (rows) and key, which a bias that is its own bucket's number shows."""
    module = RelativePositionBias(1, num_buckets, max_distance, causal)
    with torch.no_grad():
        module.weight[:, 0] = torch.arange(float(num_buckets))
    return module(torch.zeros(1, steps, 1))[0, 0].detach().long()


WORKED = {0: 0, 1: 1, 7: 7, 8: 8, 10: 8, 12: 9, 23: 11, 50: 13, 80: 14, 100: 15, 299: 15}
"""8 + ⌊8 ln(d / 8) / ln(128 / 8)⌋ from distance 8 on, of 16 buckets in a direction."""


@pytest.mark.parametrize("distance", WORKED)
def test_buckets_are_one_distance_each_and_then_as_wide_as_their_logarithm(distance):
    both, past = buckets(32, 128, causal=False), buckets(16, 128, causal=True)
    assert both[distance, 0] == past[distance, 0] == WORKED[distance]
    assert both[0, distance] == WORKED[distance] + (16 if distance else 0)  # keys ahead have the second half
    assert past[0, distance] == 0  # no key is ahead where none is seen


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("num_buckets", "max_distance"), [(32, 128), (8, 6), (16, 200), (12, 100)])
def test_buckets_are_those_of_transformers(num_buckets, max_distance, causal):
    library = pytest.importorskip("transformers.models.t5.modeling_t5", reason="`transformers` is not installed")
    ahead = torch.arange(STEPS)[None, :] - torch.arange(STEPS)[:, None]
    expected = library.T5Attention._relative_position_bucket(ahead, not causal, num_buckets, max_distance)
    assert torch.equal(buckets(num_buckets, max_distance, causal), expected)


def test_steps_that_were_seen_count_as_distance():
    from dlx.nn.context import Cache

    module, cache = RelativePositionBias(2, 8, 16, True), Cache()
    whole = module(torch.zeros(1, 9, 1))
    cache.advance(6)
    torch.testing.assert_close(module(torch.zeros(1, 3, 1), {"cache": cache}), whole[:, :, 6:])
