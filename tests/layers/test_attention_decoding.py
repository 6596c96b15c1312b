"""Stepwise decoding and padding of attention and positional encodings."""

import pytest
import torch
from layer_inputs import built

from dlx.nn.context import Cache, apply
from dlx.tensors import TensorSpec

STEPS, WIDTH = 6, 8
X = TensorSpec((STEPS, WIDTH), "TF")
MEMORY = TensorSpec((5, 12), "TF")
BESIDE = X.replace(context={"memory": MEMORY})


def attention(x=X, **fields):
    return built({"attention": {"num_heads": 2, **fields}}, x).eval()


def sequence(batch=3, dims=(STEPS, WIDTH)):
    return torch.randn(batch, *dims, generator=torch.Generator().manual_seed(1))


LAYERS = {
    "causal": (X, {"attention": {"num_heads": 2, "causal": True}}),
    "grouped rope": (X, {"attention": {"num_heads": 4, "num_kv_heads": 2, "causal": True, "rope": True}}),
    "alibi": (X, {"attention": {"num_heads": 2, "causal": True, "alibi": True}}),
    "window": (X, {"attention": {"num_heads": 2, "causal": True, "sliding_window": 3}}),
    "strided": (X, {"attention": {"num_heads": 2, "causal": True, "stride": 2}}),
    "cross": (BESIDE, {"attention": {"num_heads": 2, "memory": "memory"}}),
    "learned": (X, {"position_embedding": "learned"}),
    "sinusoidal": (X, {"position_embedding": "sinusoidal"}),
    "relative": (
        X,
        {
            "provide": {
                "key": "bias",
                "each_step": True,
                "layers": [{"relative_bias": {"num_heads": 2, "num_buckets": 4, "max_distance": 4, "causal": True}}],
                "then": [{"attention": {"num_heads": 2, "causal": True, "position_bias": "bias"}}],
            }
        },
    ),
}


def beside(x):
    return {"memory": sequence(dims=MEMORY.dims)} if x.context else {}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("steps", [(1, 1, 1, 1, 1, 1), (3, 2, 1), (5, 1)])
def test_step_by_step_is_the_whole_sequence(name, steps):
    spec, layer = LAYERS[name]
    module, x = built(layer, spec).eval(), sequence()
    whole = apply(module, x, beside(spec))
    cache = Cache()
    parts = []
    for part in x.split(steps, dim=1):
        parts.append(apply(module, part, {**beside(spec), "cache": cache}))
        cache.advance(part.shape[1])
    torch.testing.assert_close(torch.cat(parts, dim=1), whole)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_never_changes_a_result(name, side):
    spec, layer = LAYERS[name]
    module, x = built(layer, spec).eval(), sequence()
    lengths = (6, 4, 1)
    places = [slice(6 - n, 6) if side == "left" else slice(0, n) for n in lengths]
    mask = torch.zeros(3, 6, dtype=torch.bool)
    for row, place in zip(mask, places, strict=True):
        row[place] = True
    padded = apply(module, x, {**beside(spec), "mask": mask})
    assert padded.isfinite().all()
    for i, place in enumerate(places):
        alone = {key: value[i : i + 1] for key, value in beside(spec).items()}
        torch.testing.assert_close(padded[i : i + 1, place], apply(module, x[i : i + 1, place], alone))


@pytest.mark.parametrize("name", ["causal", "learned", "sinusoidal", "grouped rope", "alibi"])
def test_steps_go_on_behind_left_padding(name):
    spec, layer = LAYERS[name]
    module, x = built(layer, spec).eval(), sequence()
    mask = torch.arange(6) >= torch.tensor([[0], [2], [3]])
    cache = Cache()
    first = apply(module, x[:, :4], {"cache": cache, "mask": mask[:, :4]})
    cache.advance(4)
    later = []
    for t in (4, 5):
        later.append(apply(module, x[:, t : t + 1], {"cache": cache}))
        cache.advance(1)
    stepwise = torch.cat([first, *later], dim=1)
    for i, pads in enumerate((0, 2, 3)):
        torch.testing.assert_close(stepwise[i : i + 1, pads:], module(x[i : i + 1, pads:]))


def test_a_reordered_cache_goes_on_from_other_rows():
    module, x = attention(causal=True), sequence()
    cache = Cache()
    module(x[:, :5], {"cache": cache})
    cache.advance(5)
    order = torch.tensor([2, 0, 0])
    cache.reorder(order)
    torch.testing.assert_close(module(x[order, 5:], {"cache": cache}), module(x[order])[:, 5:])
