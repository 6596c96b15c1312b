"""Stepwise decoding, causality and padding of whole transformers."""

import pytest
import torch
from text_inputs import DECODERS, build_model, decoder_inputs, pair, random_tokens

from dlx.nn.context import Cache, apply
from dlx.tensors import TensorSpec


@pytest.mark.parametrize("name", DECODERS)
def test_step_by_step_scores_are_those_of_the_whole(name):
    spelling, x = DECODERS[name]
    module, target = build_model(spelling, x), random_tokens(6, 11)
    mask = {} if isinstance(x, TensorSpec) else {"memory_mask": torch.arange(7) < torch.tensor([[7], [4]])}
    whole = apply(module, decoder_inputs(x, target), mask)
    cache, parts = Cache(), []
    for part in target.split([2, 1, 1, 2], dim=1):
        parts.append(apply(module, decoder_inputs(x, part), {**mask, "cache": cache}))
        cache.advance(part.shape[1])
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", DECODERS)
def test_later_tokens_never_change_earlier_scores(name):
    spelling, x = DECODERS[name]
    module, target = build_model(spelling, x), random_tokens(6, 11)
    changed = target.clone()
    changed[:, 4:] = (changed[:, 4:] + 1) % 11
    before, after = apply(module, decoder_inputs(x, target), {}), apply(module, decoder_inputs(x, changed), {})
    torch.testing.assert_close(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4:], after[:, 4:])


def test_a_padded_source_translates_as_it_does_alone():
    module = build_model(DECODERS["transformer"][0], pair(11))
    source, target = random_tokens(7, 11), random_tokens(5, 11)
    mask = torch.arange(7) < torch.tensor([[7], [4]])
    both = apply(module, {"source": source, "target": target}, {"memory_mask": mask})
    alone = apply(module, {"source": source[1:, :4], "target": target[1:]}, {})
    torch.testing.assert_close(both[1:], alone)
