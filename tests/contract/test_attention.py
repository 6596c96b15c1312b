"""Attention and what belongs to it, held against torch's own modules and loops written out by hand."""

import math

import pytest
import torch
from layer_inputs import built
from torch import nn
from torch.nn import functional as F

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.nn.context import Cache, apply
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


LAYERS = {
    "causal": (X, {"attention": {"num_heads": 2, "causal": True}}),
    "grouped rope": (X, {"attention": {"num_heads": 4, "num_kv_heads": 2, "causal": True, "rope": True}}),
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


@pytest.mark.parametrize("name", ["causal", "learned", "sinusoidal", "grouped rope"])
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


# ---- what stands before attention ---------------------------------------------------------------------------------


def test_an_embedding_looks_up_rows_and_scales_them():
    tokens = torch.tensor([[1, 4, 4]])
    plain, scaled = (built({"embedding": {"features": 16, "scale_embedding": s}}, TOKENS) for s in (False, True))
    assert torch.equal(plain(tokens), F.embedding(tokens, plain.weight))
    assert torch.equal(scaled(tokens), 4 * F.embedding(tokens, scaled.weight))
    wide = built({"embedding": {"features": 400, "scale_embedding": True}}, TOKENS)
    assert wide(torch.arange(9)[None]).std().item() == pytest.approx(1, rel=0.1)


def test_an_embedding_of_a_record_has_one_table_for_all_tokens():
    record = {"source": TOKENS, "target": TensorSpec((4,), "T", "int64", (11,)), "age": TensorSpec((1,), "F")}
    layer = Layer.model_validate({"embedding": 5})
    assert layer.cost(record).parameters == 11 * 5
    assert {name: y.dims for name, y in layer.shape(record).items()} == {
        "source": (6, 5),
        "target": (4, 5),
        "age": (1,),
    }
    values = {"source": torch.tensor([[1, 2]]), "target": torch.tensor([[2]]), "age": torch.tensor([[40.0]])}
    y = layer.build(record)(values)
    assert torch.equal(y["source"][0, 1], y["target"][0, 0]) and y["age"] is values["age"]


def test_sinusoids_are_those_of_the_paper():
    module = built({"position_embedding": "sinusoidal"}, X)
    y = module(torch.zeros(1, STEPS, WIDTH))[0]
    for t in range(STEPS):
        for i in range(WIDTH // 2):
            angle = t / 10000 ** (2 * i / WIDTH)
            assert y[t, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert y[t, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)
    longer = module(torch.zeros(1, 40, WIDTH))[0]
    torch.testing.assert_close(longer[:STEPS], y)
    assert longer[39, 0].item() == pytest.approx(math.sin(39), abs=1e-5)


def test_learned_positions_end():
    with pytest.raises(ShapeError, match="6 steps are more than the 4"):
        Layer.model_validate({"position_embedding": {"max_length": 4}}).shape(X)
    with pytest.raises(ShapeError, match="varying length"):
        Layer.model_validate("position_embedding").shape(TensorSpec((None, 4), "TF"))
    with pytest.raises(ValueError, match="7 steps"):
        built("position_embedding", X)(torch.zeros(1, 7, WIDTH))


def test_segments_are_the_first_unless_the_context_says_otherwise():
    module, x = built("segment_embedding", X), sequence()
    torch.testing.assert_close(module(x), x + module.weight[0])
    kinds = torch.tensor([[0, 0, 1, 1, 1, 0]] * 3)
    torch.testing.assert_close(apply(module, x, {"segment": kinds})[:, 3], x[:, 3] + module.weight[1])


def test_a_class_token_is_put_first_and_taken_first():
    both, x = built(["class_token", "select_step"], X), sequence()
    assert torch.equal(both(x)[1], both[0].token)
    assert torch.equal(both[0](x)[:, 1:], x)
    assert torch.equal(built({"select_step": 2}, X)(x), x[:, 2])
    with pytest.raises(ShapeError, match="padded"):
        Layer.model_validate("class_token").shape(X.replace(context={"mask": TensorSpec((STEPS,), "T", "bool")}))


def test_patches_are_rows_of_the_image():
    image = TensorSpec((2, 4, 6), "CHW")
    module, x = built({"patch_embedding": {"patch_size": [2, 3], "features": 5}}, image), torch.randn(1, 2, 4, 6)
    weight, bias = module.project.weight.flatten(1), module.project.bias
    expected = [weight @ x[0, :, i : i + 2, j : j + 3].flatten() + bias for i in (0, 2) for j in (0, 3)]
    torch.testing.assert_close(module(x)[0], torch.stack(expected))
    with pytest.raises(ShapeError, match="patches of 3×3 do not fill an image of 2 × 4 × 6"):
        Layer.model_validate({"patch_embedding": {"patch_size": 3, "features": 5}}).shape(image)
