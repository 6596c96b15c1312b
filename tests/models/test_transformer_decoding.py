"""Stepwise decoding, causality and padding of whole transformers."""

import pytest
import torch
from text_inputs import build_model, pair, random_tokens, tokens

from dlx.nn.context import Cache, apply
from dlx.tensors import TensorSpec

SMALL = {"features": 16, "num_layers": 2, "num_heads": 2}
DECODERS = {
    "gpt": ({"type": "gpt", **SMALL}, tokens(6, 11)),
    "llama": (
        {"type": "gpt", **SMALL, "position_embedding": "rope", "num_kv_heads": 1, "sliding_window": 3},
        tokens(6, 11),
    ),
    "alibi": ({"type": "gpt", **SMALL, "position_embedding": "alibi"}, tokens(6, 11)),
    "transformer": ({"type": "transformer", **SMALL}, pair(11, target=6)),
    "untied": (
        {"type": "transformer", **SMALL, "tie_word_embeddings": False, "norm_first": True},
        pair(11, target=6),
    ),
    "t5": ({"type": "t5", **SMALL, "head_dim": 4, "hidden": 24}, pair(11, target=6)),
}


def inputs(x, target):
    return target if isinstance(x, TensorSpec) else {"source": random_tokens(7, 11), "target": target}


@pytest.mark.parametrize("name", DECODERS)
def test_step_by_step_scores_are_those_of_the_whole(name):
    spelling, x = DECODERS[name]
    module, target = build_model(spelling, x), random_tokens(6, 11)
    mask = {} if isinstance(x, TensorSpec) else {"memory_mask": torch.arange(7) < torch.tensor([[7], [4]])}
    whole = apply(module, inputs(x, target), mask)
    cache, parts = Cache(), []
    for part in target.split([2, 1, 1, 2], dim=1):
        parts.append(apply(module, inputs(x, part), {**mask, "cache": cache}))
        cache.advance(part.shape[1])
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", DECODERS)
def test_later_tokens_never_change_earlier_scores(name):
    spelling, x = DECODERS[name]
    module, target = build_model(spelling, x), random_tokens(6, 11)
    changed = target.clone()
    changed[:, 4:] = (changed[:, 4:] + 1) % 11
    before, after = apply(module, inputs(x, target), {}), apply(module, inputs(x, changed), {})
    torch.testing.assert_close(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4:], after[:, 4:])


def test_a_padded_source_translates_as_it_does_alone():
    module = build_model(DECODERS["transformer"][0], pair(11))
    source, target = random_tokens(7, 11), random_tokens(5, 11)
    mask = torch.arange(7) < torch.tensor([[7], [4]])
    both = apply(module, {"source": source, "target": target}, {"memory_mask": mask})
    alone = apply(module, {"source": source[1:, :4], "target": target[1:]}, {})
    torch.testing.assert_close(both[1:], alone)
