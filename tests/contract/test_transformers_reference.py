"""Transformers, held against torch's own blocks and, with the same weights, against the `transformers` library."""

import pytest
import torch
from torch import nn

from dlx.component import leaf_class
from dlx.errors import ShapeError
from dlx.layers import Layer, walk
from dlx.models import Model, initialize
from dlx.nn.context import Cache, apply
from dlx.regularizers import Regularizer
from dlx.tensors import TensorSpec

IMAGE = TensorSpec((3, 224, 224), "CHW")
X = TensorSpec((6, 8), "TF")


def tokens(length, words):
    return TensorSpec((length,), "T", "int64", (words,))


def pair(words, source=7, target=5):
    return {"source": tokens(source, words), "target": tokens(target, words)}


def built(spelling, x, family=Model):
    torch.manual_seed(0)
    tree = family.model_validate(spelling)
    return (tree.tree(x) if family is Model else tree).build(x).eval()


def some(length, words, batch=2):
    return torch.randint(words, (batch, length), generator=torch.Generator().manual_seed(2))


# ---- figures of the papers, from the plan -------------------------------------------------------------------------

PUBLISHED = [
    pytest.param(["vit", {"linear": 1000}], IMAGE, 86_567_656, id="ViT-B/16"),
    pytest.param(["bert"], tokens(128, 30_522), 109_482_240, id="BERT base"),
    pytest.param(["gpt"], tokens(1024, 50_257), 124_439_808, id="GPT-2 small"),
    pytest.param(["t5"], pair(32_128), 60_506_624, id="T5 small"),
]


@pytest.mark.parametrize(("parts", "x", "parameters"), PUBLISHED)
def test_parameters_are_those_published(parts, x, parameters):
    model, *head = parts
    tree = Layer.model_validate([Model.model_validate(model).tree(x), *head])
    assert tree.cost(x).parameters == parameters


def test_the_base_transformer_has_the_papers_65_million():
    x = pair(37_000)
    parameters = Model.model_validate("transformer").tree(x).cost(x).parameters
    encoder = 4 * (512 * 512 + 512) + 2 * 512 * 2048 + 512 + 2048 + 4 * 512
    decoder = encoder + 4 * (512 * 512 + 512) + 2 * 512
    assert parameters == 37_000 * 512 + 6 * (encoder + decoder)
    assert parameters == pytest.approx(65e6, rel=0.03)


def test_vit_has_the_multiply_adds_published():
    tree = Layer.model_validate([Model.model_validate("vit").tree(IMAGE), {"linear": 1000}])
    assert tree.cost(IMAGE).macs == pytest.approx(17.6e9, rel=0.005)


# ---- against torch's blocks ---------------------------------------------------------------------------------------

FEED = {"feed_forward": {"hidden": 20, "activation": "relu"}}


def copied(ours, theirs, attentions):
    """Give torch's layer the weights of our block; `attentions` names its attention for each part of ours."""
    with torch.no_grad():
        for part, name in attentions.items():
            mine, other = getattr(ours, part).layers.layer, getattr(theirs, name)
            state = mine.state_dict()
            for kind, target in (("weight", other.in_proj_weight), ("bias", other.in_proj_bias)):
                parts = [state[f"qkv.{kind}"]] if f"qkv.{kind}" in state else [state[f"q.{kind}"], state[f"kv.{kind}"]]
                target.copy_(torch.cat(parts))
            other.out_proj.load_state_dict(mine.out.state_dict())
    feed = ours.feed_forward.layers.layer
    theirs.linear1.load_state_dict(feed[0].state_dict())
    theirs.linear2.load_state_dict(feed[2].state_dict())
    for i, part in enumerate((*attentions, "feed_forward"), start=1):
        mine = getattr(ours, part)
        norm = mine.then if mine.then is not None else mine.layers.norm
        for parameter in norm.parameters():
            nn.init.normal_(parameter)
        getattr(theirs, f"norm{i}").load_state_dict(norm.state_dict())
    return theirs.eval()


@pytest.mark.parametrize("norm_first", [True, False])
def test_an_encoder_block_is_torchs(norm_first):
    block = {"attention": {"attention": 2}, "feed_forward": FEED, "norm_first": norm_first}
    ours = built({"transformer_block": block}, X, Layer)
    theirs = nn.TransformerEncoderLayer(8, 2, 20, activation="relu", batch_first=True, norm_first=norm_first)
    theirs = copied(ours, theirs, {"attention": "self_attn"})
    x, mask = torch.randn(3, 6, 8), torch.arange(6) < torch.tensor([[6], [3], [5]])
    expected = theirs.train()  # torch's fast path of evaluation zeroes padding
    for part in expected.modules():
        part.eval() if isinstance(part, nn.Dropout) else None
    expected.self_attn.dropout = 0.0
    torch.testing.assert_close(apply(ours, x, {"mask": mask}), expected(x, src_key_padding_mask=~mask))


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_decoder_block_is_torchs(norm_first):
    x_spec = X.replace(context={"memory": TensorSpec((4, 8), "TF")})
    block = {
        "attention": {"attention": {"num_heads": 2, "causal": True}},
        "cross_attention": {"attention": {"num_heads": 2, "memory": "memory"}},
        "feed_forward": FEED,
        "norm_first": norm_first,
    }
    ours = built({"transformer_block": block}, x_spec, Layer)
    theirs = nn.TransformerDecoderLayer(8, 2, 20, activation="relu", batch_first=True, norm_first=norm_first)
    theirs = copied(ours, theirs, {"attention": "self_attn", "cross_attention": "multihead_attn"})
    x, memory = torch.randn(3, 6, 8), torch.randn(3, 4, 8)
    mask = torch.arange(4) < torch.tensor([[4], [1], [2]])
    later = torch.ones(6, 6, dtype=torch.bool).triu(1)
    expected = theirs(x, memory, tgt_mask=later, memory_key_padding_mask=~mask)
    torch.testing.assert_close(apply(ours, x, {"memory": memory, "memory_mask": mask}), expected)


@pytest.mark.parametrize(
    ("model", "x", "norm_first"),
    [
        ("gpt", tokens(8, 11), True),
        ("vit", TensorSpec((3, 32, 32), "CHW"), True),
        ("bert", tokens(8, 11), False),
        ("t5", pair(11), True),
        ("transformer", pair(11), False),
        ({"type": "transformer", "norm_first": True}, pair(11), True),
    ],
)
def test_blocks_of_each_model_are_normalized_where_its_paper_does_it(model, x, norm_first):
    tree = Model.model_validate(model).tree(x)
    found = {layer.norm_first for _, layer, _ in walk(tree, x) if hasattr(layer, "norm_first")}
    assert found == {norm_first}


def test_a_branch_of_a_block_keeps_the_shape():
    for wrong, message in (({"linear": 3}, "6 × 8 becomes 6 × 3"), ({"attention": 3}, "3 heads do not divide 8")):
        block = {"transformer_block": {"attention": {"attention": 2}, "feed_forward": wrong}}
        with pytest.raises(ShapeError, match=message) as error:
            Layer.model_validate([block]).shape(X)
        assert error.value.loc == ("layers", 0, "feed_forward")


def test_dropout_and_drop_path_of_a_block_act_in_training():
    x = torch.randn(64, 6, 8)
    for field in ("dropout", "drop_path"):
        block = {"attention": {"attention": 2}, "feed_forward": FEED, field: 0.5}
        module = built({"transformer_block": block}, X, Layer)
        assert torch.equal(module(x), module(x))
        assert not torch.equal(module.train()(x), module(x))


# ---- against the library ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def library():
    return pytest.importorskip("transformers", reason="the library `transformers` is not installed")


def load(module, weights):
    """Load weights by name; a list of them is laid end to end. Every parameter must be given."""
    state = {name: torch.cat(w) if isinstance(w, list) else w for name, w in weights.items()}
    module.load_state_dict(state)


def shaken(model):
    """Return a model whose every parameter is random, so that none hides behind a 0 or a 1."""
    torch.manual_seed(3)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model.eval()


def linear(ours, *theirs, kinds=("weight", "bias")):
    """Return pairs of names for a linear map or a norm, or several that are laid end to end."""
    return {f"{ours}.{kind}": [f"{name}.{kind}" for name in theirs] for kind in kinds}


def taken(names, state):
    return {ours: [state[name] for name in theirs] for ours, theirs in names.items()}


def test_gpt_is_gpt2(library):
    config = {"n_embd": 16, "n_layer": 2, "n_head": 2, "vocab_size": 11, "n_positions": 8}
    theirs = shaken(library.GPT2LMHeadModel(library.GPT2Config(**config, bos_token_id=0, eos_token_id=0)))
    ours = built({"type": "gpt", "features": 16, "num_layers": 2, "num_heads": 2, "max_length": 8}, tokens(8, 11))
    state = {k.removeprefix("transformer."): v for k, v in theirs.state_dict().items()}
    state = {k: v.T if v.ndim == 2 and k.startswith("h.") else v for k, v in state.items()}  # it stores them turned
    names = {"0.embedding.weight": ["wte.weight"], "0.layers.0.weight": ["wpe.weight"], **linear("0.layers.2", "ln_f")}
    for i in range(2):
        block = f"0.layers.blocks.{i}"
        names |= linear(f"{block}.attention.layers.norm", f"h.{i}.ln_1")
        names |= linear(f"{block}.attention.layers.layer.qkv", f"h.{i}.attn.c_attn")
        names |= linear(f"{block}.attention.layers.layer.out", f"h.{i}.attn.c_proj")
        names |= linear(f"{block}.feed_forward.layers.norm", f"h.{i}.ln_2")
        names |= linear(f"{block}.feed_forward.layers.layer.0", f"h.{i}.mlp.c_fc")
        names |= linear(f"{block}.feed_forward.layers.layer.2", f"h.{i}.mlp.c_proj")
    load(ours, taken(names, state))
    x = some(8, 11)
    torch.testing.assert_close(ours(x), theirs(x).logits, rtol=1e-4, atol=1e-4)


def test_gpt_with_its_options_is_llama(library):
    config = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    config |= {"intermediate_size": 24, "vocab_size": 11, "rms_norm_eps": 1e-6, "attn_implementation": "eager"}
    theirs = shaken(library.LlamaModel(library.LlamaConfig(**config)))
    options = {"norm": "rms_norm", "position_embedding": "rope", "activation": "silu", "gated": True, "bias": False}
    sizes = {"features": 16, "num_layers": 2, "num_heads": 4, "num_kv_heads": 2, "hidden": 24}
    ours = built({"type": "gpt", **sizes, **options, "tie_word_embeddings": False}, tokens(8, 11))
    names = {"0.weight": ["embed_tokens.weight"], "2.weight": ["norm.weight"]}
    only = ("weight",)
    for i in range(2):
        block, other = f"blocks.{i}", f"layers.{i}"
        three = [f"{other}.self_attn.{kind}_proj" for kind in "qkv"]
        names |= linear(f"{block}.attention.layers.norm", f"{other}.input_layernorm", kinds=only)
        names |= linear(f"{block}.attention.layers.layer.qkv", *three, kinds=only)
        names |= linear(f"{block}.attention.layers.layer.out", f"{other}.self_attn.o_proj", kinds=only)
        names |= linear(f"{block}.feed_forward.layers.norm", f"{other}.post_attention_layernorm", kinds=only)
        names |= linear(f"{block}.feed_forward.layers.layer.0.0.0", f"{other}.mlp.gate_proj", kinds=only)
        names |= linear(f"{block}.feed_forward.layers.layer.0.1", f"{other}.mlp.up_proj", kinds=only)
        names |= linear(f"{block}.feed_forward.layers.layer.1", f"{other}.mlp.down_proj", kinds=only)
    load(ours, taken(names, theirs.state_dict()))
    x = some(8, 11)
    torch.testing.assert_close(ours(x), theirs(x).last_hidden_state, rtol=1e-4, atol=1e-4)


def test_bert_is_bert(library):
    config = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    theirs = shaken(library.BertModel(library.BertConfig(**config, vocab_size=11, max_position_embeddings=9)))
    ours = built({"type": "bert", "features": 16, "num_layers": 2, "num_heads": 2, "max_length": 9}, tokens(8, 11))
    start = ("word_embeddings", "position_embeddings", "token_type_embeddings")
    names = {f"{i}.weight": [f"embeddings.{name}.weight"] for i, name in enumerate(start)}
    names |= linear("norm", "embeddings.LayerNorm") | linear("pooler.1", "pooler.dense")
    for i in range(2):
        block, other = f"blocks.{i}", f"encoder.layer.{i}"
        three = [f"{other}.attention.self.{kind}" for kind in ("query", "key", "value")]
        names |= linear(f"{block}.attention.layers.layer.qkv", *three)
        names |= linear(f"{block}.attention.layers.layer.out", f"{other}.attention.output.dense")
        names |= linear(f"{block}.attention.then", f"{other}.attention.output.LayerNorm")
        names |= linear(f"{block}.feed_forward.layers.layer.0", f"{other}.intermediate.dense")
        names |= linear(f"{block}.feed_forward.layers.layer.2", f"{other}.output.dense")
        names |= linear(f"{block}.feed_forward.then", f"{other}.output.LayerNorm")
    load(ours, taken(names, theirs.state_dict()))
    x, mask = some(8, 11), torch.arange(8) < torch.tensor([[8], [5]])
    segment = (torch.arange(8) > 3).long().expand(2, 8)
    expected = theirs(x, attention_mask=mask.long(), token_type_ids=segment).pooler_output
    torch.testing.assert_close(apply(ours, x, {"mask": mask, "segment": segment}), expected, rtol=1e-4, atol=1e-4)


def test_vit_is_vit(library):
    config = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config |= {"image_size": 8, "patch_size": 4, "num_channels": 3, "layer_norm_eps": 1e-6}
    theirs = shaken(library.ViTModel(library.ViTConfig(**config), add_pooling_layer=False))
    ours = built(
        {"type": "vit", "features": 16, "num_layers": 2, "num_heads": 2, "patch_size": 4}, TensorSpec((3, 8, 8), "CHW")
    )
    names = linear("0.project", "embeddings.patch_embeddings.projection") | linear("norm", "layernorm")
    for i in range(2):
        block, other = f"blocks.{i}", f"layers.{i}"
        names |= linear(f"{block}.attention.layers.norm", f"{other}.layernorm_before")
        three = [f"{other}.attention.{kind}_proj" for kind in "qkv"]
        names |= linear(f"{block}.attention.layers.layer.qkv", *three)
        names |= linear(f"{block}.attention.layers.layer.out", f"{other}.attention.o_proj")
        names |= linear(f"{block}.feed_forward.layers.norm", f"{other}.layernorm_after")
        names |= linear(f"{block}.feed_forward.layers.layer.0", f"{other}.mlp.fc1")
        names |= linear(f"{block}.feed_forward.layers.layer.2", f"{other}.mlp.fc2")
    state = theirs.state_dict()
    start = {"1.token": state["embeddings.cls_token"][0, 0], "2.weight": state["embeddings.position_embeddings"][0]}
    load(ours, {**taken(names, state), **start})
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(ours(x), theirs(x).last_hidden_state[:, 0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("gated", [False, True])
def test_t5_is_t5(library, gated):
    config = {"d_model": 16, "d_kv": 4, "d_ff": 24, "num_layers": 2, "num_heads": 2, "vocab_size": 11}
    config |= {"relative_attention_num_buckets": 8, "relative_attention_max_distance": 6}
    kind = {"feed_forward_proj": "gated-gelu" if gated else "relu", "tie_word_embeddings": True}
    theirs = shaken(library.T5ForConditionalGeneration(library.T5Config(**config, **kind)))
    sizes = {
        "features": 16,
        "num_layers": 2,
        "num_heads": 2,
        "head_dim": 4,
        "hidden": 24,
        "num_buckets": 8,
        "max_distance": 6,
    }
    options = {"activation": {"gelu": {"approximate": "tanh"}}, "gated": True} if gated else {}
    ours = built({"type": "t5", **sizes, **options}, pair(11))
    names, only = {"0.embedding.weight": ["shared.weight"]}, ("weight",)
    for side, other in (("0.layers.0.layers.2", "encoder"), ("0.layers.0.then.2", "decoder")):
        first = f"{other}.block.0.layer.0.SelfAttention"
        names[f"{side}.layers.0.weight"] = [f"{first}.relative_attention_bias.weight"]
        names |= linear(f"{side}.then.norm", f"{other}.final_layer_norm", kinds=only)
        for i in range(2):
            parts = {"attention": "SelfAttention"}
            parts |= {"cross_attention": "EncDecAttention"} if other == "decoder" else {}
            for j, (part, called) in enumerate(parts.items()):
                mine, layer = f"{side}.then.blocks.{i}.{part}.layers", f"{other}.block.{i}.layer.{j}"
                names |= linear(f"{mine}.norm", f"{layer}.layer_norm", kinds=only)
                names |= linear(f"{mine}.layer.out", f"{layer}.{called}.o", kinds=only)
                three = [f"{layer}.{called}.{k}" for k in "qkv"]
                split = {"qkv": three} if part == "attention" else {"q": three[:1], "kv": three[1:]}
                for name, theirs_parts in split.items():
                    names |= linear(f"{mine}.layer.{name}", *theirs_parts, kinds=only)
            mine, layer = f"{side}.then.blocks.{i}.feed_forward.layers", f"{other}.block.{i}.layer.{len(parts)}"
            names |= linear(f"{mine}.norm", f"{layer}.layer_norm", kinds=only)
            maps = {"0.0.0": "wi_0", "0.1": "wi_1", "2": "wo"} if gated else {"0": "wi", "3": "wo"}
            for name, called in maps.items():
                names |= linear(f"{mine}.layer.{name}", f"{layer}.DenseReluDense.{called}", kinds=only)
    load(ours, taken(names, theirs.state_dict()))
    source, target = some(7, 11), some(5, 11)
    mask = torch.arange(7) < torch.tensor([[7], [4]])
    expected = theirs(input_ids=source, attention_mask=mask.long(), decoder_input_ids=target).logits
    given = apply(ours, {"source": source, "target": target}, {"memory_mask": mask})
    torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-4)


# ---- stepwise decoding and padding of whole models ----------------------------------------------------------------

SMALL = {"features": 16, "num_layers": 2, "num_heads": 2}
DECODERS = {
    "gpt": ({"type": "gpt", **SMALL}, tokens(6, 11)),
    "llama": (
        {"type": "gpt", **SMALL, "position_embedding": "rope", "num_kv_heads": 1, "sliding_window": 3},
        tokens(6, 11),
    ),
    "transformer": ({"type": "transformer", **SMALL}, pair(11, target=6)),
    "untied": (
        {"type": "transformer", **SMALL, "tie_word_embeddings": False, "norm_first": True},
        pair(11, target=6),
    ),
    "t5": ({"type": "t5", **SMALL, "head_dim": 4, "hidden": 24}, pair(11, target=6)),
}


def inputs(x, target):
    return target if isinstance(x, TensorSpec) else {"source": some(7, 11), "target": target}


@pytest.mark.parametrize("name", DECODERS)
def test_step_by_step_scores_are_those_of_the_whole(name):
    spelling, x = DECODERS[name]
    module, target = built(spelling, x), some(6, 11)
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
    module, target = built(spelling, x), some(6, 11)
    changed = target.clone()
    changed[:, 4:] = (changed[:, 4:] + 1) % 11
    before, after = apply(module, inputs(x, target), {}), apply(module, inputs(x, changed), {})
    torch.testing.assert_close(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4:], after[:, 4:])


def test_a_padded_source_translates_as_it_does_alone():
    module = built(DECODERS["transformer"][0], pair(11))
    source, target = some(7, 11), some(5, 11)
    mask = torch.arange(7) < torch.tensor([[7], [4]])
    both = apply(module, {"source": source, "target": target}, {"memory_mask": mask})
    alone = apply(module, {"source": source[1:, :4], "target": target[1:]}, {})
    torch.testing.assert_close(both[1:], alone)


# ---- what is tied, gated and routed -------------------------------------------------------------------------------


def test_a_tied_table_serves_both_ends():
    module = built({"tied_embedding": {"features": 4, "layers": ["relu"], "bias": True}}, tokens(5, 9), Layer)
    x, table = some(5, 9), module.embedding.weight
    assert sum(p.numel() for p in module.parameters()) == 9 * 4 + 9
    torch.testing.assert_close(module(x), table[x].relu() @ table.T + module.bias)
    with pytest.raises(ShapeError, match="must end in the table's 4 features"):
        Layer.model_validate({"tied_embedding": {"features": 4, "layers": [{"linear": 3}]}}).shape(tokens(5, 9))


def test_a_gate_multiplies_two_maps():
    feed = {"feed_forward": {"hidden": 12, "activation": "silu", "gated": True, "bias": False}}
    module, x = built(feed, X, Layer), torch.randn(2, 6, 8)
    first, second, back = (p.detach() for p in module.parameters())
    expected = (nn.functional.silu(x @ first.T) * (x @ second.T)) @ back.T
    torch.testing.assert_close(module(x), expected)


def experts(x=X, **fields):
    fields = {"num_experts": 4, "top_k": 2, "expert": {"feed_forward": 12}, **fields}
    return built({"mixture_of_experts": fields}, x, Layer)


@pytest.mark.parametrize("top_k", [1, 2, 4])
def test_a_mixture_is_the_weighted_sum_of_the_most_probable(top_k):
    module, x = experts(top_k=top_k), torch.randn(2, 6, 8)
    y = module(x)
    for b in range(2):
        for t in range(6):
            probabilities = module.router(x[b, t]).softmax(0).tolist()
            chosen = sorted(range(4), key=lambda i: -probabilities[i])[:top_k]
            total = sum(probabilities[i] for i in chosen) if top_k > 1 else 1.0
            expected = sum(probabilities[i] / total * module.experts[i](x[b, t]) for i in chosen)
            torch.testing.assert_close(y[b, t], expected)


def test_the_router_starts_as_the_recipe_says():
    layer = Layer.model_validate({"mixture_of_experts": {"expert": {"linear": 8}, "init": {"constant": 0.5}}})
    module = layer.build(X)
    initialize(module, layer, X, None)
    assert all((m.weight == 0.5).all() for m in (module.router, *module.experts))


def test_balance_is_least_where_experts_are_evenly_used():
    module = experts(top_k=1, load_balancing=0.5, num_experts=2)
    even, one_sided = torch.tensor([[4.0, 0.0], [0.0, 4.0]]), torch.tensor([[4.0, 0.0], [4.0, 0.0]])
    with torch.no_grad():
        module.router.weight.zero_()
        module.router.weight[:, :2] = torch.eye(2)
    losses = []
    for rows in (even, one_sided):
        x = torch.zeros(1, 2, 8)
        x[0, :, :2] = rows
        module(x)
        losses.append(module.auxiliary_loss.item())
    likely = torch.tensor([4.0, 0.0]).softmax(0)[0].item()
    assert losses == pytest.approx([0.5, 0.5 * 2 * likely])


def test_padding_is_not_counted_among_the_choices():
    module, x = experts(), torch.randn(2, 6, 8)
    mask = torch.arange(6) < torch.tensor([[6], [2]])
    apply(module, x, {"mask": mask})
    padded = module.auxiliary_loss
    module(torch.cat([x[0], x[1, :2]])[None])
    torch.testing.assert_close(padded, module.auxiliary_loss)


def test_every_expert_gets_a_gradient_though_none_chose_it():
    module = experts(num_experts=8, top_k=1)
    module(torch.randn(1, 1, 8)).sum().backward()
    assert all(p.grad is not None for p in module.experts.parameters())


# ---- models as the language -------------------------------------------------------------------------------------


def test_the_regularizers_of_depth_and_dropout_reach_the_blocks():
    tree = Model.model_validate({"type": "gpt", **SMALL}).tree(tokens(6, 11))
    dropped = Regularizer.model_validate({"dropout": 0.3}).rewrite_layers(tree).build(tokens(6, 11))
    assert [m.p for m in dropped.modules() if isinstance(m, nn.Dropout)] == [0.3] * 4
    shorter = Regularizer.model_validate({"stochastic_depth": 0.2}).rewrite_layers(tree).build(tokens(6, 11))
    assert {m.drop_path for m in shorter.modules() if hasattr(m, "drop_path")} == {0.2}


def test_only_what_scores_words_has_a_head():
    assert [Model.model_validate({"type": name}).has_head for name in ("gpt", "t5", "transformer", "vit", "bert")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert not Model.model_validate({"type": "gpt", "tie_word_embeddings": False}).has_head


@pytest.mark.parametrize("tie", [True, False])
def test_layers_that_score_words_get_no_second_head(tie):
    written = leaf_class("models", "gpt")(num_layers=1, tie_word_embeddings=tie).architecture(tokens(4, 9))
    nested = [{"whole": written}]
    assert [Model.model_validate({"type": "layers", "layers": w}).has_head for w in (written, nested)] == [tie, tie]


@pytest.mark.parametrize(("model", "x"), [("gpt", IMAGE), ("vit", tokens(5, 9)), ("t5", tokens(5, 9))])
def test_a_model_says_what_it_reads(model, x):
    with pytest.raises(ShapeError, match=r"takes axes|reads the fields source and target"):
        Model.model_validate(model).tree(x).shape(x)


def test_defaults_are_left_out_of_what_is_written():
    (tied,) = leaf_class("models", "gpt")(num_layers=1, scale_init=False).architecture(tokens(4, 9))
    block = tied["tied_embedding"]["layers"][1]["blocks"]
    assert block["repeat"]["layer"]["transformer_block"]["attention"] == {
        "attention": {"num_heads": 12, "causal": True}
    }


def test_texts_of_varying_length_are_planned_and_run():
    varying = TensorSpec((None,), "T", "int64", (11,))
    both = {"source": varying, "target": varying}
    for spelling, x in (({"type": "gpt", **SMALL, "max_length": 8}, varying), (DECODERS["t5"][0], both)):
        tree = Model.model_validate(spelling).tree(x)
        assert tree.shape(x).dims == (None, 11)
        assert tree.build(x)(inputs(x, some(4, 11))).shape == (2, 4, 11)
    with pytest.raises(ShapeError, match="need a `max_length`"):
        Model.model_validate({"type": "gpt", **SMALL}).tree(varying).shape(varying)


def test_gpt_starts_as_nanogpt_does():
    """Its rule: matrices and tables have std 0.02, those that end a branch 0.02 / √(2 · depth)."""
    x = TensorSpec((64,), "T", "int64", vocab=(500,))
    model = Model.model_validate({"gpt": {"features": 128, "num_layers": 8, "num_heads": 4}})
    torch.manual_seed(0)
    tree = model.tree(x)
    network = tree.build(x)
    initialize(network, tree, x, model.init)
    ends = 0
    for name, parameter in network.named_parameters():
        if parameter.ndim == 1:
            continue
        ending = name.endswith(("attention.layers.layer.out.weight", "feed_forward.layers.layer.2.weight"))
        ends += ending
        assert parameter.std().item() == pytest.approx(0.02 / 4 if ending else 0.02, rel=0.03), name
    assert ends == 2 * 8
    alike = Model.model_validate({"gpt": {"features": 128, "num_layers": 8, "num_heads": 4, "scale_init": False}})
    assert alike.tree(x).cost(x) == tree.cost(x)
    initialize(network, alike.tree(x), x, alike.init)
    assert all(p.std().item() == pytest.approx(0.02, rel=0.03) for p in network.parameters() if p.ndim == 2)
