"""Attention, held against torch's own module and loops written out by hand."""

import math

import pytest
import torch
from layer_inputs import built
from torch import nn

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.layers.attention.alibi import alibi_slopes
from dlx.models import initialize
from dlx.nn.context import apply
from dlx.tensors import TensorSpec

STEPS, WIDTH = 6, 8
X = TensorSpec((STEPS, WIDTH), "TF")
MEMORY = TensorSpec((5, 12), "TF")
BESIDE = X.replace(context={"memory": MEMORY})
BIAS = X.replace(context={"bias": TensorSpec((2, STEPS, STEPS), "NTS")})
TOKENS = TensorSpec((STEPS,), "T", "int64", (9,))


def attention(x=X, **fields):
    return built({"attention": {"num_heads": 2, **fields}}, x).eval()


def sequence(batch=3, dims=(STEPS, WIDTH)):
    return torch.randn(batch, *dims, generator=torch.Generator().manual_seed(1))


def torchs(module, kdim=None):
    """torch's own attention with the weights of ours."""
    other = nn.MultiheadAttention(WIDTH, 2, batch_first=True, kdim=kdim, vdim=kdim).eval()
    with torch.no_grad():
        if kdim is None:
            other.in_proj_weight.copy_(module.qkv.weight)
            other.in_proj_bias.copy_(module.qkv.bias)
        else:
            k, v = module.kv.weight.chunk(2)
            other.q_proj_weight.copy_(module.q.weight)
            other.k_proj_weight.copy_(k)
            other.v_proj_weight.copy_(v)
            other.in_proj_bias.copy_(torch.cat([module.q.bias, module.kv.bias]))
    other.out_proj.load_state_dict(module.out.state_dict())
    return other


def by_hand(module, x, may_see, turn=lambda x, step: x):
    """Attention of 2 heads as loops over samples, heads and queries."""
    q, k, v = module.qkv(x).split(
        [2 * module.config.head_dim, *[module.config.num_kv_heads * module.config.head_dim] * 2], dim=-1
    )
    y = torch.zeros(*x.shape[:2], 2 * module.config.head_dim)
    for b in range(len(x)):
        for h in range(2):
            own = slice(h * module.config.head_dim, (h + 1) * module.config.head_dim)
            g = h * module.config.num_kv_heads // 2
            shared = slice(g * module.config.head_dim, (g + 1) * module.config.head_dim)
            for t in range(x.shape[1]):
                seen = [s for s in range(x.shape[1]) if may_see(t, s)]
                query = turn(q[b, t, own], t)
                scores = [query @ turn(k[b, s, shared], s) / math.sqrt(module.config.head_dim) for s in seen]
                weights = torch.stack(scores).softmax(0)
                y[b, t, own] = sum(w * v[b, s, shared] for w, s in zip(weights, seen, strict=True))
    return module.out(y)


@pytest.mark.parametrize("causal", [False, True])
def test_self_attention_is_torchs(causal):
    module, x = attention(causal=causal), sequence()
    mask = nn.Transformer.generate_square_subsequent_mask(STEPS) if causal else None
    expected, _ = torchs(module)(x, x, x, attn_mask=mask)
    torch.testing.assert_close(module(x), expected)


def test_padding_is_hidden_as_torch_hides_it():
    module, x = attention(), sequence()
    mask = torch.arange(STEPS) < torch.tensor([[6], [4], [1]])
    expected, _ = torchs(module)(x, x, x, key_padding_mask=~mask)
    torch.testing.assert_close(apply(module, x, {"mask": mask}), expected)


def test_cross_attention_is_torchs():
    module = attention(BESIDE, memory="memory")
    x, memory = sequence(), sequence(dims=MEMORY.dims)
    mask = torch.arange(5) < torch.tensor([[5], [2], [3]])
    expected, _ = torchs(module, kdim=12)(x, memory, memory, key_padding_mask=~mask)
    torch.testing.assert_close(apply(module, x, {"memory": memory, "memory_mask": mask}), expected)


PATTERNS = {
    "causal": ({"causal": True}, lambda t, s: s <= t),
    "window": ({"sliding_window": 2}, lambda t, s: abs(t - s) < 2),
    "causal window": ({"sliding_window": 3, "causal": True}, lambda t, s: 0 <= t - s < 3),
    "strided": ({"stride": 3, "causal": True}, lambda t, s: s <= t and (t - s < 3 or (t - s) % 3 == 0)),
    "strided window": ({"stride": 4, "sliding_window": 1}, lambda t, s: (t - s) % 4 == 0),
    "grouped": ({"num_kv_heads": 1}, lambda t, s: True),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_patterns_are_what_a_loop_computes(name):
    fields, may_see = PATTERNS[name]
    module, x = attention(**fields), sequence(2)
    torch.testing.assert_close(module(x), by_hand(module, x, may_see))


def test_rope_turns_pairs_by_their_position():
    def turn(x, step):
        half = len(x) // 2
        turned = torch.empty_like(x)
        for i in range(half):
            angle = step * 100.0 ** (-2 * i / len(x))
            a, b = x[i], x[i + half]
            turned[i] = a * math.cos(angle) - b * math.sin(angle)
            turned[i + half] = a * math.sin(angle) + b * math.cos(angle)
        return turned

    module, x = attention(rope=True, rope_theta=100.0), sequence(2)
    torch.testing.assert_close(module(x), by_hand(module, x, lambda t, s: True, turn))


@pytest.mark.parametrize("causal", [False, True])
def test_alibi_lowers_scores_by_slope_and_distance(causal):
    module, x = attention(causal=causal, alibi=True), sequence()
    q, k, v = (part.unflatten(-1, (2, 4)).transpose(1, 2) for part in module.qkv(x).chunk(3, dim=-1))
    scores = q @ k.mT / 2
    for head, slope in enumerate((2**-4, 2**-8)):  # of two heads, by the paper's rule
        for t in range(STEPS):
            for s in range(STEPS):
                scores[:, head, t, s] += -slope * abs(t - s) if s <= t or not causal else -math.inf
    expected = module.out((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))
    torch.testing.assert_close(module(x), expected)


@pytest.mark.parametrize("heads", [1, 2, 6, 8, 12, 16])
def test_slopes_of_alibi_are_those_of_bloom(heads):
    bloom = pytest.importorskip("transformers.models.bloom.modeling_bloom", reason="`transformers` is not installed")
    theirs = bloom.build_alibi_tensor(torch.ones(1, 2), heads, torch.float32)[:, 0, 1]
    torch.testing.assert_close(torch.tensor(alibi_slopes(heads)), theirs)


def test_slopes_of_alibi_are_those_of_the_paper():
    assert alibi_slopes(8) == [2.0**-i for i in range(1, 9)]
    assert alibi_slopes(16) == [2.0 ** (-i / 2) for i in range(1, 17)]


def test_a_position_bias_is_added_to_the_scores():
    module, x, bias = attention(BIAS, position_bias="bias", scale=1.0), sequence(), torch.randn(1, 2, STEPS, STEPS)
    q, k, v = (part.unflatten(-1, (2, 4)).transpose(1, 2) for part in module.qkv(x).chunk(3, dim=-1))
    weights = (q @ k.mT + bias).softmax(-1)
    expected = module.out((weights @ v).transpose(1, 2).flatten(2))
    torch.testing.assert_close(apply(module, x, {"bias": bias}), expected)


@pytest.mark.parametrize("fields", [{}, {"causal": True}, {"num_kv_heads": 1}, {"sliding_window": 2}], ids=str)
def test_maps_on_demand_are_the_weights_of_the_same_result(fields):
    module, x = attention(**fields), sequence()
    plain = module(x)
    assert module.attention_weights is None
    module.store_attention = True
    torch.testing.assert_close(module(x), plain)
    assert module.attention_weights.shape == (3, 2, STEPS, STEPS)
    torch.testing.assert_close(module.attention_weights.sum(-1), torch.ones(3, 2, STEPS))


def test_a_row_of_padding_alone_is_finite_and_so_are_its_gradients():
    module, x = attention(), sequence().requires_grad_()
    mask = torch.tensor([[True] * 6, [False] * 6, [True] * 6])
    for module.store_attention in (False, True):
        y = apply(module, x, {"mask": mask})
        y.square().sum().backward()
        assert y.isfinite().all() and x.grad.isfinite().all()


def test_dropout_acts_in_training_alone():
    module, x = attention(dropout=0.5), sequence()
    assert torch.equal(module(x), module(x))
    module.train()
    assert not torch.equal(module(x), module(x))


@pytest.mark.parametrize(
    ("fields", "x", "message"),
    [
        ({"num_heads": 3}, X, "3 heads do not divide 8 features"),
        ({"num_heads": 4, "num_kv_heads": 3}, X, "3 heads of keys do not divide 4 heads"),
        ({"num_heads": 8, "rope": True}, X, "even size"),
        ({"num_heads": 2, "memory": "memory"}, X, "reads 'memory', which nothing provides here"),
        ({"num_heads": 2, "memory": "memory", "causal": True}, BESIDE, "steps of one sequence"),
        ({"num_heads": 4, "position_bias": "bias"}, BIAS, "position_bias of 4 heads"),
        ({"num_heads": 2}, TOKENS, "TF"),
    ],
    ids=str,
)
def test_attention_says_what_does_not_fit(fields, x, message):
    with pytest.raises(ShapeError, match=message):
        Layer.model_validate({"attention": fields}).shape(x)


@pytest.mark.parametrize("x", [X, BESIDE], ids=["self", "cross"])
def test_queries_and_outputs_have_initializers_of_their_own(x):
    memory = {"memory": "memory"} if x.context else {}
    fields = {"num_heads": 2, "query_init": {"constant": 2.0}, "out_init": {"constant": 3.0}, **memory}
    layer = Layer.model_validate({"attention": {**fields, "init": {"constant": 1.0}}})
    module = layer.build(x)
    initialize(module, layer, x, None)
    rows = module.q.weight if x.context else module.qkv.weight[:WIDTH]
    others = module.kv.weight if x.context else module.qkv.weight[WIDTH:]
    assert (rows == 2).all() and (others == 1).all() and (module.out.weight == 3).all()
