"""Layers over time and over channels against formulas and torch's own functions, and against padding."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.nn.context import Cache
from dlx.tensors import TensorSpec

X = TensorSpec((None, 5), "TF")
ANYWHERE = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 1, 1], [0, 1, 0, 1, 0, 0]]).bool()
AT_AN_END = ANYWHERE[:3]
MODES = ("mean", "max", "last", "attention")
CONVS = [
    {"causal_conv": {"features": 4, "kernel": 3}},
    {"causal_conv": {"features": 4, "kernel": 2, "dilation": 3, "weight_norm": True}},
    {"causal_conv": {"features": 4, "kernel": 1, "bias": False}},
]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def make(spec, x=X):
    return Layer.model_validate(spec).build(x).double()


def numbers(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def test_pools_are_what_their_names_say():
    x = numbers(2, 6, 5)
    assert torch.allclose(make({"time_pool": "mean"})(x), x.mean(1))
    assert torch.equal(make({"time_pool": "max"})(x), x.max(1).values)
    assert torch.equal(make({"time_pool": "last"})(x), x[:, -1])


def test_attention_pool_is_a_mean_with_the_weights_that_it_keeps():
    pool, x = make({"time_pool": {"mode": "attention", "hidden": 3}}), numbers(2, 6, 5)
    w, b, v = pool.inner.weight, pool.inner.bias, pool.score.weight[0]
    assert w.shape == (3, 5)
    score = torch.stack([torch.stack([v @ torch.tanh(w @ step + b) for step in sample]) for sample in x])
    weight = score.exp() / score.exp().sum(1, keepdim=True)
    assert torch.allclose(pool(x), (weight[..., None] * x).sum(1))
    assert pool.attention_weights is None
    pool.store_attention = True
    pool(x, {"mask": ANYWHERE[1:3]})
    assert pool.attention_weights.shape == (2, 1, 1, 6)
    assert torch.allclose(pool.attention_weights.sum(-1), torch.ones(2, 1, 1).double())
    assert (pool.attention_weights[:, 0, 0][~ANYWHERE[1:3]] == 0).all()


@pytest.mark.parametrize("mode", MODES)
def test_pools_do_not_see_padding(mode):
    pool, x = make({"time_pool": mode}), numbers(4, 6, 5) - 3  # so that a zero would be the maximum
    y = pool(x, {"mask": ANYWHERE})
    for i, real in enumerate(ANYWHERE):
        assert torch.allclose(y[i], pool(x[i : i + 1, real])[0])
    assert (pool(x, {"mask": torch.zeros_like(ANYWHERE)}) == 0).all()
    assert torch.autograd.gradcheck(lambda x: pool(x, {"mask": ANYWHERE}), x.requires_grad_())


def test_hidden_belongs_to_attention():
    with pytest.raises(ValueError, match="mode mean has none"):
        Layer.model_validate({"time_pool": {"mode": "mean", "hidden": 3}})


@pytest.mark.parametrize("spec", CONVS, ids=str)
def test_causal_conv_is_a_sum_over_the_past(spec):
    conv, x = make(spec), numbers(2, 9, 5)
    fields = {"dilation": 1, **spec["causal_conv"]}
    weight, bias = conv.conv.weight, conv.conv.bias
    expected = torch.zeros(2, 9, 4).double() + (0 if bias is None else bias)
    for t, k in itertools.product(range(9), range(fields["kernel"])):
        before = t - k * fields["dilation"]
        if before >= 0:
            expected[:, t] += x[:, before] @ weight[:, :, -1 - k].T
    assert torch.allclose(conv(x), expected)


def test_weight_norm_learns_length_apart_from_direction():
    conv, x = make(CONVS[1]), numbers(2, 9, 5)
    y = conv(x) - conv.conv.bias
    with torch.no_grad():
        dict(conv.conv.named_parameters())["parametrizations.weight.original0"].mul_(3)
    assert torch.allclose(conv(x) - conv.conv.bias, 3 * y)
    with torch.no_grad():
        dict(conv.conv.named_parameters())["parametrizations.weight.original1"].mul_(7)
    assert torch.allclose(conv(x) - conv.conv.bias, 3 * y)


@pytest.mark.parametrize("spec", CONVS, ids=str)
def test_causal_conv_does_not_see_padding_nor_the_future(spec):
    conv, x = make([spec, "relu", {"causal_conv": {"features": 4, "kernel": 3}}]), numbers(3, 6, 5)
    y = conv(x, {"mask": AT_AN_END})
    for i, real in enumerate(AT_AN_END):
        assert torch.allclose(y[i, real], conv(x[i : i + 1, real])[0])
    changed = torch.cat([x[:, :4], numbers(3, 2, 5)], 1)
    assert torch.equal(conv(changed)[:, :4], conv(x)[:, :4])


@pytest.mark.parametrize("cuts", [(1, 2, 3, 4, 5), (4,)], ids=str)
@pytest.mark.parametrize("spec", CONVS, ids=str)
def test_causal_conv_goes_on_from_a_cache(spec, cuts):
    net, x, cache = make([spec, "tanh", {"causal_conv": {"features": 3, "kernel": 2}}]), numbers(3, 6, 5), Cache()
    parts = []
    for start, end in itertools.pairwise((0, *cuts, 6)):
        parts.append(net(x[:, start:end], {"cache": cache, "mask": AT_AN_END[:, start:end]}))
        cache.advance(end - start)
    assert torch.allclose(torch.cat(parts, 1), net(x, {"mask": AT_AN_END}))


def test_separable_conv_is_one_convolution_of_low_rank():
    image = TensorSpec((3, 8, 9), "CHW")
    spec = {"channels": 7, "kernel": [3, 5], "padding": "same", "stride": 2, "depth_multiplier": 2}
    layer = Layer.model_validate({"separable_conv": spec})
    module, x = make({"separable_conv": spec}, image), numbers(2, 3, 8, 9)
    depthwise, pointwise = module.depthwise, module.pointwise
    full = torch.zeros(7, 3, 3, 5).double()
    for c, m in itertools.product(range(3), range(2)):
        full[:, c] += pointwise.weight[:, 2 * c + m, 0, 0, None, None] * depthwise.weight[2 * c + m, 0]
    bias = pointwise.weight[:, :, 0, 0] @ depthwise.bias + pointwise.bias
    assert torch.allclose(module(x), F.conv2d(x, full, bias, stride=2, padding=(1, 2)))
    assert layer.cost(image).parameters == 6 * 15 + 6 + 7 * 6 + 7


def test_separable_conv_of_mobilenet_has_the_papers_weights():
    image = TensorSpec((512, 14, 14), "CHW")
    fields = {"channels": 512, "kernel": 3, "padding": "same", "bias": False}
    layer = Layer.model_validate({"separable_conv": {**fields, "between": ["batch_norm", "relu"]}})
    assert [child.name for child in layer.children(image)] == ["depthwise", "between", "pointwise"]
    plain = Layer.model_validate({"separable_conv": fields})
    full = Layer.model_validate({"conv": fields})
    share = 1 / 512 + 1 / 9  # equation 5 of the paper
    assert plain.cost(image).macs == pytest.approx(full.cost(image).macs * share)
    assert plain.cost(image).parameters == pytest.approx(full.cost(image).parameters * share)


def test_squeeze_excite_scales_channels_by_a_small_network_of_their_means():
    image = TensorSpec((8, 4, 5), "CHW")
    layer = Layer.model_validate({"squeeze_excitation": 4})
    module, x = make({"squeeze_excitation": 4}, image), numbers(2, 8, 4, 5)
    small = nn.Sequential(nn.Linear(8, 2), nn.ReLU(), nn.Linear(2, 8), nn.Sigmoid()).double()
    small.load_state_dict(dict(zip(small.state_dict(), module.state_dict().values(), strict=True)))
    weight = small(x.mean((2, 3)))
    assert torch.allclose(module(x), torch.einsum("bchw,bc->bchw", x, weight))
    assert layer.cost(image).parameters == 2 * 8 * 8 // 4 + 2 + 8
    with pytest.raises(ShapeError, match="leaves nothing of 8 channels"):
        Layer.model_validate("squeeze_excitation").shape(image)
